// Layers that normalize.
#include <pullback/nn/normalization.h>

#include <algorithm>

#include <fmt/format.h>

#include <pullback/elementwise.h>
#include <pullback/operators.h>
#include <pullback/reductions.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

static Shape shape_of(const NormalizedShape& normalized) {
  return {normalized.sizes.begin(), normalized.sizes.end()};
}

static std::string described(const char* layer, const NormalizedShape& normalized) {
  return normalized.sizes.empty() ? layer : fmt::format("{}({})", layer, to_string(shape_of(normalized)));
}

LayerNorm::LayerNorm(const NormalizedShape& normalized_shape, const LayerNormOptions& options, SourceLocation where)
    : Module(Layer{"LayerNorm", described("LayerNorm", normalized_shape)}),
      normalized_(normalized_shape),
      options_(options) {
  for (std::int64_t size : normalized_.sizes) require_at_least("LayerNorm", "a normalized size", size, 1, where);
  if (!normalized_.sizes.empty()) declare(shape_of(normalized_));
}

void LayerNorm::declare(const Shape& shape) const {
  if (!options_.elementwise_affine || has_parameter("w")) return;
  register_parameter("w", shape, Initializer::constant(1));
  if (options_.bias) register_parameter("b", shape);
}

Tensor LayerNorm::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, std::max<std::size_t>(normalized_.sizes.size(), 1), x.rank(), "[..., normalized axes]");
  const Shape shape = normalized_.sizes.empty() ? Shape{known_size(label(), x, -1)} : shape_of(normalized_);
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
