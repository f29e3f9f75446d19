// Convolution layers.
#include <pullback/nn/convolution.h>

#include <cmath>

#include <fmt/format.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

namespace {

const char* const kLayouts[] = {"[N,C,L] or [C,L]", "[N,C,H,W] or [C,H,W]", "[N,C,D,H,W] or [C,D,H,W]"};

std::string joined(const std::vector<std::int64_t>& sizes) {
  return sizes.size() == 1 ? std::to_string(sizes.front()) : fmt::format("{{{}}}", fmt::join(sizes, ", "));
}

std::string described(const char* type, std::optional<std::int64_t> in, std::int64_t out, const PerAxis& kernel) {
  return fmt::format("{}({}{}, {})", type, in ? std::to_string(*in) + ", " : "", out, joined(kernel.values()));
}

// One size for each spatial axis.
std::vector<std::int64_t> kernel_of(const char* type, const PerAxis& kernel, std::size_t spatial,
                                    const SourceLocation& where) {
  std::vector<std::int64_t> sizes = kernel.values();
  if (sizes.size() == 1) sizes.resize(spatial, sizes.front());
  if (sizes.size() != spatial)
    detail::fail(type, fmt::format("the kernel {} has {} sizes for {} axes", joined(sizes), sizes.size(), spatial),
                 where);
  for (std::int64_t size : sizes) require_at_least(type, "a size of the kernel", size, 1, where);
  return sizes;
}

void require_divisible(const std::string& label, const char* what, std::int64_t channels, std::int64_t groups,
                       const SourceLine& line) {
  if (channels % groups != 0)
    detail::fail(label, fmt::format("{} is {}, which cannot be divided into {} groups", what, channels, groups), line);
}

// PyTorch's first values: uniform in +-1/sqrt(fan).
Initializer within(std::int64_t channels, const std::vector<std::int64_t>& kernel) {
  double fan = static_cast<double>(channels);
  for (std::int64_t size : kernel) fan *= static_cast<double>(size);
  return Initializer::uniform(-1 / std::sqrt(fan), 1 / std::sqrt(fan));
}

Shape weight_shape(std::int64_t first, std::int64_t second, const std::vector<std::int64_t>& kernel) {
  Shape shape{first, second};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  return shape;
}

void require_channels(const char* type, std::optional<std::int64_t> in, std::int64_t out, std::int64_t groups,
                      const SourceLocation& where) {
  require_at_least(type, "out", out, 1, where);
  require_at_least(type, "groups", groups, 1, where);
  require_divisible(type, "out", out, groups, where);
  if (!in) return;
  require_at_least(type, "in", *in, 1, where);
  require_divisible(type, "in", *in, groups, where);
}

// The axis of channels: the batch may be missing.
int channel_axis(std::size_t spatial) {
  return -static_cast<int>(spatial) - 1;
}

}  // namespace

Convolution::Convolution(const char* type, std::size_t spatial, std::optional<std::int64_t> in, std::int64_t out,
                         const PerAxis& kernel, const ConvOptions& options, const SourceLocation& where)
    : Module(Layer{type, described(type, in, out, kernel)}),
      spatial_(spatial),
      out_(out),
      kernel_(kernel_of(type, kernel, spatial, where)),
      options_(options) {
  require_channels(type, in, out, options.groups, where);
  if (in) declare(*in);
}

void Convolution::declare(std::int64_t in) const {
  const std::int64_t channels = in / options_.groups;
  const Initializer first = within(channels, kernel_);
  if (!has_parameter("w"))  // it may be tied
    register_parameter("w", weight_shape(out_, channels, kernel_), options_.initializer.value_or(first));
  if (options_.bias && !has_parameter("b")) register_parameter("b", {out_}, first);
}

Tensor Convolution::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, spatial_ + 1, spatial_ + 2, kLayouts[spatial_ - 1]);
  const std::int64_t in = known_size(label(), x, channel_axis(spatial_));
  require_divisible(label(), "in", in, options_.groups, line_of(x));
  declare(in);
  const Tensor w = parameter("w"), b = options_.bias ? parameter("b") : Tensor();
  require_size(label(), x, channel_axis(spatial_), w.size(1).constant() * options_.groups, "in");
  const pullback::ConvOptions options{options_.stride, options_.padding, options_.dilation, options_.groups,
                                      options_.padding_mode};
  return spatial_ == 1 ? conv1d(x, w, b, options) : spatial_ == 2 ? conv2d(x, w, b, options) : conv3d(x, w, b, options);
}

ConvolutionTranspose::ConvolutionTranspose(const char* type, std::size_t spatial, std::optional<std::int64_t> in,
                                           std::int64_t out, const PerAxis& kernel, const ConvTransposeOptions& options,
                                           const SourceLocation& where)
    : Module(Layer{type, described(type, in, out, kernel)}),
      spatial_(spatial),
      out_(out),
      kernel_(kernel_of(type, kernel, spatial, where)),
      options_(options) {
  require_channels(type, in, out, options.groups, where);
  if (in) declare(*in);
}

void ConvolutionTranspose::declare(std::int64_t in) const {
  const std::int64_t channels = out_ / options_.groups;
  const Initializer first = within(channels, kernel_);
  if (!has_parameter("w"))  // it may be tied
    register_parameter("w", weight_shape(in, channels, kernel_), options_.initializer.value_or(first));
  if (options_.bias && !has_parameter("b")) register_parameter("b", {out_}, first);
}

Tensor ConvolutionTranspose::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, spatial_ + 1, spatial_ + 2, kLayouts[spatial_ - 1]);
  const std::int64_t in = known_size(label(), x, channel_axis(spatial_));
  require_divisible(label(), "in", in, options_.groups, line_of(x));
  declare(in);
  const Tensor w = parameter("w"), b = options_.bias ? parameter("b") : Tensor();
  require_size(label(), x, channel_axis(spatial_), w.size(0).constant(), "in");
  const pullback::ConvTransposeOptions options{options_.stride, options_.padding, options_.output_padding,
                                               options_.dilation, options_.groups};
  return spatial_ == 1   ? conv_transpose1d(x, w, b, options)
         : spatial_ == 2 ? conv_transpose2d(x, w, b, options)
                         : conv_transpose3d(x, w, b, options);
}

Upsample::Upsample(const InterpolateOptions& options)
    : Lambda([options](const Tensor& x) { return interpolate(x, options); }, "Upsample") {}

PixelShuffle::PixelShuffle(std::int64_t upscale_factor)
    : Lambda([=](const Tensor& x) { return pixel_shuffle(x, upscale_factor); }, "PixelShuffle",
             fmt::format("PixelShuffle({})", upscale_factor)) {}

PixelUnshuffle::PixelUnshuffle(std::int64_t downscale_factor)
    : Lambda([=](const Tensor& x) { return pixel_unshuffle(x, downscale_factor); }, "PixelUnshuffle",
             fmt::format("PixelUnshuffle({})", downscale_factor)) {}

Unfold::Unfold(const PerAxis& kernel, const UnfoldOptions& options)
    : Lambda([=](const Tensor& x) { return unfold(x, kernel, options); }, "Unfold",
             fmt::format("Unfold({})", joined(kernel.values()))) {}

Fold::Fold(const PerAxis& output_size, const PerAxis& kernel, const UnfoldOptions& options)
    : Lambda([=](const Tensor& x) { return fold(x, output_size, kernel, options); }, "Fold",
             fmt::format("Fold({}, {})", joined(output_size.values()), joined(kernel.values()))) {}

}  // namespace pullback::nn
