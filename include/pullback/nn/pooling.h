// Pooling layers; see pooling.h for the formulas. x is [N,C,spatial...] or, without a batch, [C,spatial...], with as
// many spatial axes as the layer's name says; the result has the same form. They have no parameters. A layer throws
// Error, naming the shapes and the user's line, when it is called and x or one of its own numbers doesn't fit.
#pragma once

#include <pullback/nn/containers.h>
#include <pullback/pooling.h>

namespace pullback::nn {

/// The largest of each window.
struct MaxPool1d : Lambda {
  explicit MaxPool1d(const PerAxis& kernel, const MaxPoolOptions& options = {});
};
struct MaxPool2d : Lambda {
  explicit MaxPool2d(const PerAxis& kernel, const MaxPoolOptions& options = {});
};
struct MaxPool3d : Lambda {
  explicit MaxPool3d(const PerAxis& kernel, const MaxPoolOptions& options = {});
};

/// The mean of each window.
struct AvgPool1d : Lambda {
  explicit AvgPool1d(const PerAxis& kernel, const AvgPoolOptions& options = {});
};
struct AvgPool2d : Lambda {
  explicit AvgPool2d(const PerAxis& kernel, const AvgPoolOptions& options = {});
};
struct AvgPool3d : Lambda {
  explicit AvgPool3d(const PerAxis& kernel, const AvgPoolOptions& options = {});
};

/// The p-norm of each window.
struct LPPool1d : Lambda {
  LPPool1d(double p, const PerAxis& kernel, const LpPoolOptions& options = {});
};
struct LPPool2d : Lambda {
  LPPool2d(double p, const PerAxis& kernel, const LpPoolOptions& options = {});
};
struct LPPool3d : Lambda {
  LPPool3d(double p, const PerAxis& kernel, const LpPoolOptions& options = {});
};

/// Means of as many windows as the result has elements: `output` are its spatial sizes.
struct AdaptiveAvgPool1d : Lambda {
  explicit AdaptiveAvgPool1d(const OutputSize& output);
};
struct AdaptiveAvgPool2d : Lambda {
  explicit AdaptiveAvgPool2d(const OutputSize& output);
};
struct AdaptiveAvgPool3d : Lambda {
  explicit AdaptiveAvgPool3d(const OutputSize& output);
};

/// Maxima of the same windows.
struct AdaptiveMaxPool1d : Lambda {
  explicit AdaptiveMaxPool1d(const OutputSize& output);
};
struct AdaptiveMaxPool2d : Lambda {
  explicit AdaptiveMaxPool2d(const OutputSize& output);
};
struct AdaptiveMaxPool3d : Lambda {
  explicit AdaptiveMaxPool3d(const OutputSize& output);
};

}  // namespace pullback::nn
