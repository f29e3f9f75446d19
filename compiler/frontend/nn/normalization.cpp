// Layers that normalize.
#include <pullback/nn/normalization.h>

#include <fmt/format.h>

#include <pullback/elementwise.h>
#include <pullback/operators.h>
#include <pullback/reductions.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

LayerNorm::LayerNorm(const LayerNormOptions& options) : Module(Layer{"LayerNorm", "LayerNorm"}), options_(options) {}

LayerNorm::LayerNorm(Shape normalized_shape, const LayerNormOptions& options, SourceLocation where)
    : Module(Layer{"LayerNorm", fmt::format("LayerNorm({})", to_string(normalized_shape))}),
      shape_(std::move(normalized_shape)),
      options_(options) {
  if (shape_->empty()) detail::fail("LayerNorm", "the normalized shape has no axes", where);
  declare(*shape_);
}

LayerNorm::LayerNorm(std::int64_t size, const LayerNormOptions& options, SourceLocation where)
    : LayerNorm(Shape{size}, options, where) {}

void LayerNorm::declare(const Shape& shape) const {
  if (!options_.elementwise_affine || has_parameter("w")) return;
  register_parameter("w", shape, Initializer::constant(1));
  if (options_.bias) register_parameter("b", shape);
}

Tensor LayerNorm::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, shape_ ? shape_->size() : 1, x.rank(), "[..., normalized axes]");
  const Shape shape = shape_ ? *shape_ : Shape{known_size(label(), x, -1)};
  declare(shape);
  std::vector<int> axes;
  for (int i = -static_cast<int>(shape.size()); i < 0; ++i) {
    require_size(label(), x, i, shape[shape.size() - static_cast<std::size_t>(-i)].constant(), "its size");
    axes.push_back(i);
  }
  const Tensor centered = x - mean(x, axes, true);
  const Tensor y = centered * rsqrt(mean(square(centered), axes, true) + options_.eps);
  if (!options_.elementwise_affine) return y;
  return options_.bias ? y * parameter("w") + parameter("b") : y * parameter("w");
}

}  // namespace pullback::nn
