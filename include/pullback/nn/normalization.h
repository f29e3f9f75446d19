// Layers that normalize; see normalization.h for the formulas.
#pragma once

#include <initializer_list>
#include <vector>

#include <pullback/nn/module.h>

namespace pullback::nn {

/// The sizes of the last axes, which are normalized together: 512, {8, 64}, or {} for the last axis of what the layer
/// meets first.
struct NormalizedShape {
  NormalizedShape() = default;
  NormalizedShape(std::int64_t size) : sizes{size} {}                          // NOLINT: LayerNorm(512)
  NormalizedShape(std::initializer_list<std::int64_t> list) : sizes(list) {}   // NOLINT: LayerNorm({8, 64})
  NormalizedShape(std::vector<std::int64_t> list) : sizes(std::move(list)) {}  // NOLINT
  std::vector<std::int64_t> sizes;
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< w and b
  bool bias = true;                ///< b
};

/// Normalizes the last axes, whose sizes are `normalized_shape`, to mean 0 and variance 1, then scales by w and shifts
/// by b, both of that shape, as PyTorch's weight and bias (Ba et al. 2016).
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const NormalizedShape& normalized_shape = {}, const LayerNormOptions& options = {},
                     SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  void declare(const Shape& shape) const;

  NormalizedShape normalized_;
  LayerNormOptions options_;
};

}  // namespace pullback::nn
