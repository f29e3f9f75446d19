// Convolutions, windows as columns, padding.
#include <map>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

using Convolve = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvOptions&, SourceLocation);
using ConvolveTransposed = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvTransposeOptions&,
                                      SourceLocation);

ConvPadding padding_of(const Arguments& a) {
  if (std::holds_alternative<std::string>(a.at("padding"))) return a.text("padding");
  return PerAxis(a.integers("padding"));
}

TorchFunction convolution(std::string names, Convolve function) {
  return {std::move(names), "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
          [function](const Arguments& a) {
            ConvOptions options;
            options.stride = a.integers("stride");
            options.padding = padding_of(a);
            options.dilation = a.integers("dilation");
            options.groups = a.integer("groups");
            return function(a.tensor("input"), a.tensor("weight"), a.optional_tensor("bias"), options,
                            SourceLocation::current());
          }};
}

TorchFunction transposed_convolution(std::string names, ConvolveTransposed function) {
  return {std::move(names), "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1",
          [function](const Arguments& a) {
            ConvTransposeOptions options;
            options.stride = a.integers("stride");
            options.padding = a.integers("padding");
            options.output_padding = a.integers("output_padding");
            options.dilation = a.integers("dilation");
            options.groups = a.integer("groups");
            return function(a.tensor("input"), a.tensor("weight"), a.optional_tensor("bias"), options,
                            SourceLocation::current());
          }};
}

UnfoldOptions windows_of(const Arguments& a) {
  UnfoldOptions options;
  options.dilation = a.integers("dilation");
  options.padding = a.integers("padding");
  options.stride = a.integers("stride");
  return options;
}

PaddingMode mode_of(const Arguments& a) {
  static const std::map<std::string, PaddingMode> known = {{"constant", PaddingMode::constant},
                                                           {"reflect", PaddingMode::reflect},
                                                           {"replicate", PaddingMode::replicate},
                                                           {"circular", PaddingMode::circular}};
  const auto found = known.find(a.text("mode"));
  if (found == known.end()) a.fail("mode", "is '" + a.text("mode") + "': it is not known");
  return found->second;
}

/// F.pad: pairs from the last axis on.
Tensor padded(const Arguments& a) {
  const Tensor x = a.tensor("input");
  const std::vector<std::int64_t> pairs = a.integers("pad");
  if (pairs.size() % 2 != 0 || pairs.size() / 2 > x.rank()) a.fail("pad", "does not fit " + x.type_string());
  std::vector<Padding> padding(x.rank());
  for (std::size_t i = 0; i < pairs.size() / 2; ++i) padding[x.rank() - 1 - i] = {pairs[2 * i], pairs[2 * i + 1]};
  return pad(x, padding, mode_of(a), a.optional_number("value").value_or(0));
}

}  // namespace

FunctionTable convolution_functions() {
  return {
      convolution("conv1d", conv1d),
      convolution("conv2d", conv2d),
      convolution("conv3d", conv3d),
      transposed_convolution("conv_transpose1d", conv_transpose1d),
      transposed_convolution("conv_transpose2d", conv_transpose2d),
      transposed_convolution("conv_transpose3d", conv_transpose3d),
      {"unfold", "input, kernel_size, dilation=1, padding=0, stride=1",
       [](const Arguments& a) { return unfold(a.tensor("input"), a.integers("kernel_size"), windows_of(a)); }},
      {"fold", "input, output_size, kernel_size, dilation=1, padding=0, stride=1",
       [](const Arguments& a) {
         return fold(a.tensor("input"), a.integers("output_size"), a.integers("kernel_size"), windows_of(a));
       }},
      {"pixel_shuffle", "input, upscale_factor",
       [](const Arguments& a) { return pixel_shuffle(a.tensor("input"), a.integer("upscale_factor")); }},
      {"pixel_unshuffle", "input, downscale_factor",
       [](const Arguments& a) { return pixel_unshuffle(a.tensor("input"), a.integer("downscale_factor")); }},
      {"pad", "input, pad, mode='constant', value=None", padded},
  };
}

}  // namespace pullback::golden
