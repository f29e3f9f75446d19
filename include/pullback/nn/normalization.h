// Layers that normalize; see normalization.h for the formulas.
#pragma once

#include <optional>

#include <pullback/nn/module.h>

namespace pullback::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< w and b
  bool bias = true;                ///< b
};

/// Normalizes the last axes, whose sizes are `normalized_shape`, to mean 0 and variance 1, then scales by w and shifts
/// by b, both of that shape, as PyTorch's weight and bias (Ba et al. 2016).
class LayerNorm : public Module {
 public:
  /// Over the last axis of what the layer meets first.
  explicit LayerNorm(const LayerNormOptions& options = {});
  explicit LayerNorm(Shape normalized_shape, const LayerNormOptions& options = {},
                     SourceLocation where = SourceLocation::current());
  explicit LayerNorm(std::int64_t size, const LayerNormOptions& options = {},
                     SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  void declare(const Shape& shape) const;
  std::optional<Shape> shape_;
  LayerNormOptions options_;
};

}  // namespace pullback::nn
