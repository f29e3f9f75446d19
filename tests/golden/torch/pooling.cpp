// Folds over windows, and images in another size.
#include <map>
#include <optional>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

using MaxPool = Tensor (*)(const Tensor&, const PerAxis&, const MaxPoolOptions&, SourceLocation);
using MaxPoolIndexed = MaxPooled (*)(const Tensor&, const PerAxis&, const MaxPoolOptions&, SourceLocation);
using AvgPool = Tensor (*)(const Tensor&, const PerAxis&, const AvgPoolOptions&, SourceLocation);
using LpPool = Tensor (*)(const Tensor&, double, const PerAxis&, const LpPoolOptions&, SourceLocation);
using AdaptivePool = Tensor (*)(const Tensor&, const OutputSize&, SourceLocation);

TorchFunction max_pool(std::string names, MaxPool plain, MaxPoolIndexed indexed) {
  return {std::move(names),
          "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False",
          [plain, indexed](const Arguments& a) -> Value {
            MaxPoolOptions options;
            options.stride = a.integers("stride");
            options.padding = a.integers("padding");
            options.dilation = a.integers("dilation");
            options.ceil_mode = a.flag("ceil_mode");
            const PerAxis kernel = a.integers("kernel_size");
            if (!a.flag("return_indices")) return plain(a.tensor("input"), kernel, options, SourceLocation::current());
            const MaxPooled both = indexed(a.tensor("input"), kernel, options, SourceLocation::current());
            return list_of({both.values, both.indices});
          }};
}

TorchFunction avg_pool(std::string names, AvgPool function) {
  return {std::move(names),
          "input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None",
          [function](const Arguments& a) {
            AvgPoolOptions options;
            options.stride = a.integers("stride");
            options.padding = a.integers("padding");
            options.ceil_mode = a.flag("ceil_mode");
            options.count_include_pad = a.flag("count_include_pad");
            options.divisor_override = a.optional_integer("divisor_override");
            return function(a.tensor("input"), a.integers("kernel_size"), options, SourceLocation::current());
          }};
}

TorchFunction lp_pool(std::string names, LpPool function) {
  return {std::move(names), "input, norm_type, kernel_size, stride=None, ceil_mode=False",
          [function](const Arguments& a) {
            LpPoolOptions options;
            options.stride = a.integers("stride");
            options.ceil_mode = a.flag("ceil_mode");
            return function(a.tensor("input"), a.number("norm_type"), a.integers("kernel_size"), options,
                            SourceLocation::current());
          }};
}

/// A size, or one for each axis; None keeps an axis as it is.
OutputSize output_size(const Arguments& a) {
  const List* list = a.at("output_size").list();
  if (!list) return a.integer("output_size");
  std::vector<std::optional<std::int64_t>> sizes;
  for (const Value& value : *list) {
    const auto* size = std::get_if<std::int64_t>(&value);
    if (!size && !value.is_none()) a.fail("output_size", "holds " + value.describe());
    sizes.push_back(size ? std::optional(*size) : std::nullopt);
  }
  return sizes;
}

TorchFunction adaptive_pool(std::string names, AdaptivePool function) {
  return {std::move(names), "input, output_size", [function](const Arguments& a) {
            return function(a.tensor("input"), output_size(a), SourceLocation::current());
          }};
}

InterpolateOptions resizing(const Arguments& a) {
  static const std::map<std::string, Interpolation> known = {
      {"nearest", Interpolation::nearest}, {"nearest-exact", Interpolation::nearest_exact},
      {"linear", Interpolation::linear},   {"bilinear", Interpolation::bilinear},
      {"bicubic", Interpolation::bicubic}, {"trilinear", Interpolation::trilinear},
      {"area", Interpolation::area}};
  const auto found = known.find(a.text("mode"));
  if (found == known.end()) a.fail("mode", "is '" + a.text("mode") + "': it is not known");
  InterpolateOptions options;
  options.mode = found->second;
  options.size = a.integers("size");
  if (const List* factors = a.at("scale_factor").list())
    for (const Value& factor : *factors) options.scale_factor.push_back(factor.number().value());
  else if (a.given("scale_factor"))
    options.scale_factor = {a.number("scale_factor")};
  options.align_corners = a.given("align_corners") && a.flag("align_corners");
  options.recompute_scale_factor = a.given("recompute_scale_factor") && a.flag("recompute_scale_factor");
  if (a.flag("antialias")) a.fail("antialias", "is not known");
  return options;
}

}  // namespace

FunctionTable pooling_functions() {
  return {
      max_pool("max_pool1d", max_pool1d, max_pool1d_with_indices),
      max_pool("max_pool2d", max_pool2d, max_pool2d_with_indices),
      max_pool("max_pool3d", max_pool3d, max_pool3d_with_indices),
      avg_pool("avg_pool1d", avg_pool1d),
      avg_pool("avg_pool2d", avg_pool2d),
      avg_pool("avg_pool3d", avg_pool3d),
      lp_pool("lp_pool1d", lp_pool1d),
      lp_pool("lp_pool2d", lp_pool2d),
      lp_pool("lp_pool3d", lp_pool3d),
      adaptive_pool("adaptive_avg_pool1d", adaptive_avg_pool1d),
      adaptive_pool("adaptive_avg_pool2d", adaptive_avg_pool2d),
      adaptive_pool("adaptive_avg_pool3d", adaptive_avg_pool3d),
      adaptive_pool("adaptive_max_pool1d", adaptive_max_pool1d),
      adaptive_pool("adaptive_max_pool2d", adaptive_max_pool2d),
      adaptive_pool("adaptive_max_pool3d", adaptive_max_pool3d),
      {"interpolate",
       "input, size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None, "
       "antialias=False",
       [](const Arguments& a) { return interpolate(a.tensor("input"), resizing(a)); }},
  };
}

}  // namespace pullback::golden
