// Layers that normalize.
#include <pullback/nn/normalization.h>

#include <algorithm>

#include <fmt/format.h>

#include <pullback/normalization.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

// --- Over the batch, or over each example ---

BatchNorm::BatchNorm(const char* type, std::size_t low, std::size_t high, const char* layout,
                     std::optional<std::int64_t> channels, const BatchNormOptions& options, const SourceLocation& where)
    : Module(Layer{type, channels ? fmt::format("{}({})", type, *channels) : type}),
      options_(options),
      channels_(channels),
      low_(low),
      high_(high),
      layout_(layout) {
  if (options.momentum && !(*options.momentum >= 0 && *options.momentum <= 1))
    detail::fail(type, fmt::format("momentum is {}: it lies in [0, 1]", *options.momentum), where);
  if (!channels) return;
  require_at_least(type, "channels", *channels, 1, where);
  declare(*channels);
}

void BatchNorm::declare(std::int64_t channels) const {
  const auto absent = [&](const char* name) { return !has_parameter(name); };
  if (options_.affine && absent("w")) register_parameter("w", {channels}, Initializer::constant(1));
  if (options_.affine && absent("b")) register_parameter("b", {channels});
  if (!options_.track_running_stats || !absent("running_mean")) return;
  register_statistic("running_mean", {channels});
  register_statistic("running_var", {channels}, Initializer::constant(1));
  if (!options_.momentum) register_statistic("batches", {}, Initializer::zeros(), i64);
}

Tensor BatchNorm::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, low_, high_, layout_);
  if (channels_) require_size(label(), x, 1, *channels_, "channels");
  declare(known_size(label(), x, 1));
  Affine affine;
  if (options_.affine) {
    affine.w = parameter("w");
    affine.b = parameter("b");
    require_size(label(), x, 1, affine.w.size(0).constant(), "channels");
  }
  if (options_.track_running_stats) {
    affine.running_mean = parameter("running_mean");
    affine.running_var = parameter("running_var");
    require_size(label(), x, 1, affine.running_mean.size(0).constant(), "channels");
    if (!options_.momentum) affine.batches = parameter("batches");
  }
  return normalize(x, affine);
}

Tensor BatchNorm::normalize(const Tensor& x, const Affine& affine) const {
  const std::optional<double> momentum = affine.batches.defined() ? std::nullopt : options_.momentum;
  return batch_norm(x, affine.running_mean, affine.running_var, affine.w, affine.b,
                    {.momentum = momentum, .eps = options_.eps, .batches = affine.batches});
}

Tensor InstanceNorm::normalize(const Tensor& x, const Affine& affine) const {
  if (!affine.running_mean.defined()) return instance_norm(x, affine.w, affine.b, options_.eps);
  return instance_norm(x, affine.running_mean, affine.running_var, affine.w, affine.b,
                       {.momentum = options_.momentum, .eps = options_.eps, .batches = affine.batches});
}

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, const GroupNormOptions& options, SourceLocation where)
    : Module(Layer{"GroupNorm", fmt::format("GroupNorm({}, {})", groups, channels)}),
      groups_(groups),
      channels_(channels),
      options_(options) {
  require_at_least("GroupNorm", "groups", groups, 1, where);
  require_at_least("GroupNorm", "channels", channels, 1, where);
  if (channels % groups != 0)
    detail::fail("GroupNorm", fmt::format("{} channels cannot be divided into {} groups", channels, groups), where);
  if (!options.affine) return;
  register_parameter("w", {channels}, Initializer::constant(1));
  register_parameter("b", {channels});
}

Tensor GroupNorm::forward(const Tensor& x) const {
  require_rank(label(), x, 2, x.rank(), "[N,C,...]");
  require_size(label(), x, 1, channels_, "channels");
  if (!options_.affine) return group_norm(x, groups_, {}, {}, options_.eps);
  return group_norm(x, groups_, parameter("w"), parameter("b"), options_.eps);
}

// --- Over the last axes ---

static std::string described(const char* layer, const NormalizedShape& normalized) {
  if (normalized.sizes.empty()) return layer;
  return fmt::format("{}({})", layer, to_string(Shape(normalized.sizes.begin(), normalized.sizes.end())));
}

static void require_sizes(const char* layer, const NormalizedShape& normalized, const SourceLocation& where) {
  for (std::int64_t size : normalized.sizes) require_at_least(layer, "a normalized size", size, 1, where);
}

// The normalized sizes, which x must end with. Left out, they are x's last size.
static Shape last_sizes(const std::string& label, const Tensor& x, const NormalizedShape& normalized) {
  detail::require_float(label, x, line_of(x));
  require_rank(label, x, std::max<std::size_t>(normalized.sizes.size(), 1), x.rank(), "[..., normalized axes]");
  if (normalized.sizes.empty()) return {known_size(label, x, -1)};
  int axis = -static_cast<int>(normalized.sizes.size());
  for (std::int64_t size : normalized.sizes) require_size(label, x, axis++, size, "the normalized size");
  return {normalized.sizes.begin(), normalized.sizes.end()};
}

LayerNorm::LayerNorm(const NormalizedShape& normalized_shape, const LayerNormOptions& options, SourceLocation where)
    : Module(Layer{"LayerNorm", described("LayerNorm", normalized_shape)}),
      normalized_(normalized_shape),
      options_(options) {
  require_sizes("LayerNorm", normalized_, where);
  if (!normalized_.sizes.empty()) declare({normalized_.sizes.begin(), normalized_.sizes.end()});
}

void LayerNorm::declare(const Shape& shape) const {
  if (!options_.elementwise_affine) return;
  if (!has_parameter("w")) register_parameter("w", shape, Initializer::constant(1));
  if (options_.bias && !has_parameter("b")) register_parameter("b", shape);
}

Tensor LayerNorm::forward(const Tensor& x) const {
  const Shape shape = last_sizes(label(), x, normalized_);
  declare(shape);
  if (!options_.elementwise_affine) return pullback::layer_norm(x, shape, {}, {}, options_.eps);
  const Tensor w = parameter("w");
  require_size(label(), x, -1, w.size(-1).constant(), "the normalized size");
  return pullback::layer_norm(x, shape, w, options_.bias ? parameter("b") : Tensor(), options_.eps);
}

RMSNorm::RMSNorm(const NormalizedShape& normalized_shape, const RMSNormOptions& options, SourceLocation where)
    : Module(Layer{"RMSNorm", described("RMSNorm", normalized_shape)}),
      normalized_(normalized_shape),
      options_(options) {
  require_sizes("RMSNorm", normalized_, where);
  if (!normalized_.sizes.empty()) declare({normalized_.sizes.begin(), normalized_.sizes.end()});
}

void RMSNorm::declare(const Shape& shape) const {
  if (options_.elementwise_affine && !has_parameter("w")) register_parameter("w", shape, Initializer::constant(1));
}

Tensor RMSNorm::forward(const Tensor& x) const {
  const Shape shape = last_sizes(label(), x, normalized_);
  declare(shape);
  if (!options_.elementwise_affine) return rms_norm(x, shape, {}, options_.eps);
  const Tensor w = parameter("w");
  require_size(label(), x, -1, w.size(-1).constant(), "the normalized size");
  return rms_norm(x, shape, w, options_.eps);
}

// --- Over neighbouring channels ---

LocalResponseNorm::LocalResponseNorm(std::int64_t size, const LocalResponseNormOptions& options, SourceLocation where)
    : Module(Layer{"LocalResponseNorm", fmt::format("LocalResponseNorm({})", size)}), size_(size), options_(options) {
  require_at_least("LocalResponseNorm", "size", size, 1, where);
}

Tensor LocalResponseNorm::forward(const Tensor& x) const {
  return local_response_norm(x, size_, options_.alpha, options_.beta, options_.k);
}

}  // namespace pullback::nn
