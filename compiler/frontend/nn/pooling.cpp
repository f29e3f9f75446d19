// Pooling layers.
#include <pullback/nn/pooling.h>

#include <fmt/format.h>

namespace pullback::nn {

// "MaxPool2d(2)", "MaxPool2d({2, 3})".
static std::string described(const char* type, const PerAxis& kernel) {
  const std::vector<std::int64_t>& sizes = kernel.values();
  return sizes.size() == 1 ? fmt::format("{}({})", type, sizes.front())
                           : fmt::format("{}({{{}}})", type, fmt::join(sizes, ", "));
}

static std::string described(const char* type, const OutputSize& output) {
  std::string list;
  for (const std::optional<std::int64_t>& size : output.sizes())
    list += (list.empty() ? "" : ", ") + (size ? std::to_string(*size) : "as x");
  return output.sizes().size() == 1 ? fmt::format("{}({})", type, list) : fmt::format("{}({{{}}})", type, list);
}

MaxPool1d::MaxPool1d(const PerAxis& kernel, const MaxPoolOptions& options)
    : Lambda([=](const Tensor& x) { return max_pool1d(x, kernel, options); }, "MaxPool1d",
             described("MaxPool1d", kernel)) {}

MaxPool2d::MaxPool2d(const PerAxis& kernel, const MaxPoolOptions& options)
    : Lambda([=](const Tensor& x) { return max_pool2d(x, kernel, options); }, "MaxPool2d",
             described("MaxPool2d", kernel)) {}

MaxPool3d::MaxPool3d(const PerAxis& kernel, const MaxPoolOptions& options)
    : Lambda([=](const Tensor& x) { return max_pool3d(x, kernel, options); }, "MaxPool3d",
             described("MaxPool3d", kernel)) {}

AvgPool1d::AvgPool1d(const PerAxis& kernel, const AvgPoolOptions& options)
    : Lambda([=](const Tensor& x) { return avg_pool1d(x, kernel, options); }, "AvgPool1d",
             described("AvgPool1d", kernel)) {}

AvgPool2d::AvgPool2d(const PerAxis& kernel, const AvgPoolOptions& options)
    : Lambda([=](const Tensor& x) { return avg_pool2d(x, kernel, options); }, "AvgPool2d",
             described("AvgPool2d", kernel)) {}

AvgPool3d::AvgPool3d(const PerAxis& kernel, const AvgPoolOptions& options)
    : Lambda([=](const Tensor& x) { return avg_pool3d(x, kernel, options); }, "AvgPool3d",
             described("AvgPool3d", kernel)) {}

LPPool1d::LPPool1d(double p, const PerAxis& kernel, const LpPoolOptions& options)
    : Lambda([=](const Tensor& x) { return lp_pool1d(x, p, kernel, options); }, "LPPool1d",
             described("LPPool1d", kernel)) {}

LPPool2d::LPPool2d(double p, const PerAxis& kernel, const LpPoolOptions& options)
    : Lambda([=](const Tensor& x) { return lp_pool2d(x, p, kernel, options); }, "LPPool2d",
             described("LPPool2d", kernel)) {}

LPPool3d::LPPool3d(double p, const PerAxis& kernel, const LpPoolOptions& options)
    : Lambda([=](const Tensor& x) { return lp_pool3d(x, p, kernel, options); }, "LPPool3d",
             described("LPPool3d", kernel)) {}

AdaptiveAvgPool1d::AdaptiveAvgPool1d(const OutputSize& output)
    : Lambda([=](const Tensor& x) { return adaptive_avg_pool1d(x, output); }, "AdaptiveAvgPool1d",
             described("AdaptiveAvgPool1d", output)) {}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(const OutputSize& output)
    : Lambda([=](const Tensor& x) { return adaptive_avg_pool2d(x, output); }, "AdaptiveAvgPool2d",
             described("AdaptiveAvgPool2d", output)) {}

AdaptiveAvgPool3d::AdaptiveAvgPool3d(const OutputSize& output)
    : Lambda([=](const Tensor& x) { return adaptive_avg_pool3d(x, output); }, "AdaptiveAvgPool3d",
             described("AdaptiveAvgPool3d", output)) {}

AdaptiveMaxPool1d::AdaptiveMaxPool1d(const OutputSize& output)
    : Lambda([=](const Tensor& x) { return adaptive_max_pool1d(x, output); }, "AdaptiveMaxPool1d",
             described("AdaptiveMaxPool1d", output)) {}

AdaptiveMaxPool2d::AdaptiveMaxPool2d(const OutputSize& output)
    : Lambda([=](const Tensor& x) { return adaptive_max_pool2d(x, output); }, "AdaptiveMaxPool2d",
             described("AdaptiveMaxPool2d", output)) {}

AdaptiveMaxPool3d::AdaptiveMaxPool3d(const OutputSize& output)
    : Lambda([=](const Tensor& x) { return adaptive_max_pool3d(x, output); }, "AdaptiveMaxPool3d",
             described("AdaptiveMaxPool3d", output)) {}

}  // namespace pullback::nn
