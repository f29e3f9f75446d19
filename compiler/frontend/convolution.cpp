// Convolutions and transposed convolutions of any number of spatial axes, as the primitive.
#include <pullback/convolution.h>

#include <fmt/format.h>

#include <pullback/operators.h>
#include <pullback/shapes.h>

#include "compiler/frontend/spatial.h"

namespace pullback {

namespace {

using detail::Spatial;

// w [O,C,K...] or, transposed, [C,O,K...]: the kernel's sizes.
std::vector<std::int64_t> kernel_sizes(const Spatial& s, const Tensor& w) {
  if (!w.defined()) s.fail("w is an undefined tensor");
  if (w.rank() != s.axes() + 2)
    s.fail(fmt::format("w is {}: a tensor of {} axes is needed for x {}", w.type_string(), s.axes() + 2,
                       s.x().type_string()));
  if (w.dtype() != s.x().dtype())
    s.fail(
        fmt::format("x is {}, w is {}: the dtypes differ; cast() one of them", s.x().type_string(), w.type_string()));
  std::vector<std::int64_t> sizes;
  for (std::size_t d = 2; d < w.rank(); ++d) {
    if (!w.shape()[d].is_constant() || w.shape()[d].constant() < 1)
      s.fail(fmt::format("w is {}: kernel sizes must be numbers above 0", w.type_string()));
    sizes.push_back(w.shape()[d].constant());
  }
  return sizes;
}

// Each of `groups` groups has its share of the axis.
Dim share(const Spatial& s, const Dim& size, std::int64_t groups, const char* what) {
  if (groups < 1) s.fail(fmt::format("{} groups are no groups", groups));
  const std::optional<Dim> each = size.divided_by(groups);
  if (!each) s.fail(fmt::format("{} {} can't be divided into {} groups", size.to_string(), what, groups));
  return *each;
}

Tensor add_bias(const Spatial& s, const Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return y;
  const Dim& channels = y.shape()[1];
  if (bias.rank() != 1 || !(bias.shape()[0] == channels) || bias.dtype() != y.dtype())
    s.fail(fmt::format("the bias is {}: {}[{}] is needed, one number for each output channel", bias.type_string(),
                       name_of(y.dtype()), channels.to_string()));
  Shape shape(y.rank(), Dim(1));
  shape[1] = channels;
  return y + reshape(bias, shape);
}

// The padding as numbers at both ends of each spatial axis.
std::vector<Padding> paddings(const Spatial& s, const ops::Windows& windows, const ConvPadding& given) {
  std::vector<Padding> result;
  if (given.name().empty()) {
    for (const std::int64_t both : s.values("padding", given.both(), 0)) result.push_back({both, both});
    return result;
  }
  if (given.name() != "same" && given.name() != "valid")
    s.fail(fmt::format("the padding '{}' is neither \"same\" nor \"valid\" nor a number", given.name()));
  for (std::size_t d = 0; d < s.axes(); ++d) {
    if (given.name() == "valid") {
      result.emplace_back();
      continue;
    }
    if (windows.strides[d] != 1)
      s.fail(fmt::format("padding \"same\" needs stride 1, but the stride is {}", windows.strides[d]));
    const std::int64_t total = windows.span(d).constant() - 1;
    result.push_back({total / 2, total - total / 2});
  }
  return result;
}

Tensor convolve(const std::string& op, std::size_t axes, const Tensor& x, const Tensor& w, const Tensor& bias,
                const ConvOptions& options, const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  ops::Windows windows = detail::plain_windows(kernel_sizes(s, w));
  windows.strides = s.values("stride", options.stride, 1);
  windows.window_dilation = s.values("dilation", options.dilation, 1);
  const Dim each = share(s, s.x().shape()[1], options.groups, "input channels");
  share(s, w.shape()[0], options.groups, "output channels");
  if (!(w.shape()[1] == each))
    s.fail(fmt::format("x is {}, w is {}: w needs {} input channels ({} in {} groups)", s.x().type_string(),
                       w.type_string(), each.to_string(), s.x().shape()[1].to_string(), options.groups));
  const std::vector<Padding> padding = paddings(s, windows, options.padding);
  Tensor padded = s.x();
  if (options.padding_mode == PaddingMode::constant) {
    for (std::size_t d = 0; d < axes; ++d) {
      windows.low[d] = padding[d].low;
      windows.high[d] = padding[d].high;
    }
    s.require_fit(windows);
  } else {
    std::vector<Padding> all(2);
    all.insert(all.end(), padding.begin(), padding.end());
    padded = pad(s.x(), all, options.padding_mode);
    Spatial(op, axes, padded, where).require_fit(windows);
  }
  const Tensor y = s.emit({padded, w}, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::convolution(v[0], v[1], windows, options.groups);
  });
  return s.finish(add_bias(s, y, bias));
}

// [C,O/groups,K...] -> [O,C/groups,K...], mirrored.
ops::Value transposed_kernel(ops::Value w, std::int64_t groups) {
  const Dim each = *w.size(0).divided_by(groups);
  Shape split{groups, each}, merged{w.size(1) * groups, each};
  std::vector<std::int64_t> order{0, 2, 1}, mirrored;
  split.insert(split.end(), w.shape().begin() + 1, w.shape().end());
  for (std::size_t d = 2; d < w.rank(); ++d) {
    merged.push_back(w.size(d));
    order.push_back(static_cast<std::int64_t>(d) + 1);
    mirrored.push_back(static_cast<std::int64_t>(d));
  }
  return ops::reverse(ops::reshape(ops::transpose(ops::reshape(w, split), order), merged), mirrored);
}

// Each element of x spreads a kernel over the result: a convolution of x, its elements `stride` apart.
Tensor convolve_transposed(const std::string& op, std::size_t axes, const Tensor& x, const Tensor& w,
                           const Tensor& bias, const ConvTransposeOptions& options, const SourceLocation& where) {
  const Spatial s(op, axes, x, where);
  ops::Windows windows = detail::plain_windows(kernel_sizes(s, w));
  windows.base_dilation = s.values("stride", options.stride, 1);
  windows.window_dilation = s.values("dilation", options.dilation, 1);
  const std::vector<std::int64_t> padding = s.values("padding", options.padding, 0),
                                  extra = s.values("output_padding", options.output_padding, 0);
  share(s, s.x().shape()[1], options.groups, "input channels");
  if (!(w.shape()[0] == s.x().shape()[1]))
    s.fail(fmt::format("x is {}, w is {}: w [in,out/groups,...] needs {} input channels", s.x().type_string(),
                       w.type_string(), s.x().shape()[1].to_string()));
  for (std::size_t d = 0; d < axes; ++d) {
    const std::int64_t stride = windows.base_dilation[d], dilation = windows.window_dilation[d];
    if (extra[d] >= std::max(stride, dilation))
      s.fail(fmt::format("output_padding {} is neither below the stride {} nor below the dilation {}", extra[d], stride,
                         dilation));
    if (s.size(d) == Dim(0)) s.fail(fmt::format("spatial axis {} of x {} has no elements", d, s.x().type_string()));
    windows.low[d] = windows.span(d) - 1 - padding[d];
    windows.high[d] = windows.low[d] + extra[d];
    const Dim size = (s.size(d) - 1) * stride + windows.span(d) - 2 * padding[d] + extra[d];
    if (size.is_constant() && size.constant() < 1)
      s.fail(fmt::format("spatial axis {} of the result would have {} elements: the padding {} is too large", d,
                         size.to_string(), padding[d]));
  }
  const Tensor y = s.emit({s.x(), w}, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::convolution(v[0], transposed_kernel(v[1], options.groups), windows, options.groups);
  });
  return s.finish(add_bias(s, y, bias));
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& w, const ConvOptions& options, SourceLocation where) {
  return convolve("conv1d", 1, x, w, {}, options, where);
}
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options, SourceLocation where) {
  return convolve("conv2d", 2, x, w, {}, options, where);
}
Tensor conv3d(const Tensor& x, const Tensor& w, const ConvOptions& options, SourceLocation where) {
  return convolve("conv3d", 3, x, w, {}, options, where);
}
Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& options, SourceLocation where) {
  return convolve("conv1d", 1, x, w, bias, options, where);
}
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& options, SourceLocation where) {
  return convolve("conv2d", 2, x, w, bias, options, where);
}
Tensor conv3d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvOptions& options, SourceLocation where) {
  return convolve("conv3d", 3, x, w, bias, options, where);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options, SourceLocation where) {
  return convolve_transposed("conv_transpose1d", 1, x, w, {}, options, where);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options, SourceLocation where) {
  return convolve_transposed("conv_transpose2d", 2, x, w, {}, options, where);
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options, SourceLocation where) {
  return convolve_transposed("conv_transpose3d", 3, x, w, {}, options, where);
}
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& options,
                        SourceLocation where) {
  return convolve_transposed("conv_transpose1d", 1, x, w, bias, options, where);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& options,
                        SourceLocation where) {
  return convolve_transposed("conv_transpose2d", 2, x, w, bias, options, where);
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvTransposeOptions& options,
                        SourceLocation where) {
  return convolve_transposed("conv_transpose3d", 3, x, w, bias, options, where);
}

}  // namespace pullback
