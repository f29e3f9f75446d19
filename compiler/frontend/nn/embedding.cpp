// Tables of vectors that are looked up.
#include <pullback/nn/linear.h>

#include <limits>

#include <fmt/format.h>

#include <pullback/elementwise.h>
#include <pullback/indexing.h>
#include <pullback/operators.h>
#include <pullback/reductions.h>
#include <pullback/shapes.h>
#include <pullback/state.h>

#include "compiler/frontend/nn/layer.h"
#include "compiler/frontend/nn/module_node.h"

namespace pullback::nn {

// The row from the front. Throws Error when there is no such row.
static std::optional<std::int64_t> padding_row(const char* layer, std::optional<std::int64_t> row, std::int64_t count,
                                               const SourceLocation& where) {
  if (!row) return row;
  if (*row < -count || *row >= count)
    detail::fail(layer, fmt::format("padding_idx is {}, but there are {} rows", *row, count), where);
  return *row < 0 ? *row + count : *row;
}

Embedding::Embedding(std::int64_t count, std::int64_t size, const EmbeddingOptions& options, SourceLocation where)
    : Module(Layer{"Embedding", fmt::format("Embedding({}, {})", count, size)}),
      padding_(padding_row("Embedding", options.padding_idx, count, where)) {
  require_at_least("Embedding", "count", count, 1, where);
  require_at_least("Embedding", "size", size, 1, where);
  register_parameter("w", {count, size}, options.initializer, options.dtype);
  node()->find_slot("w")->zero_row = padding_;
}

Tensor Embedding::forward(const Tensor& ids) const {
  const Tensor rows = embedding(parameter("w"), ids);
  return padding_ ? where(unsqueeze(equal(ids, *padding_), -1), stop_gradient(rows), rows) : rows;
}

static const char* name_of(BagMode mode) {
  return mode == BagMode::sum ? "sum" : mode == BagMode::mean ? "mean" : "max";
}

EmbeddingBag::EmbeddingBag(std::int64_t count, std::int64_t size, const EmbeddingBagOptions& options,
                           SourceLocation where)
    : Module(Layer{"EmbeddingBag", fmt::format("EmbeddingBag({}, {}, {})", count, size, name_of(options.mode))}),
      mode_(options.mode),
      padding_(padding_row("EmbeddingBag", options.padding_idx, count, where)) {
  require_at_least("EmbeddingBag", "count", count, 1, where);
  require_at_least("EmbeddingBag", "size", size, 1, where);
  register_parameter("w", {count, size}, options.initializer, options.dtype);
  node()->find_slot("w")->zero_row = padding_;
}

Tensor EmbeddingBag::forward(const Tensor& ids) const {
  return bag(ids, {});
}

Tensor EmbeddingBag::operator()(const Tensor& ids, const Tensor& per_sample_weights, SourceLocation where) const {
  const Call call = enter(ids, where);
  detail::require_defined(label(), per_sample_weights, where);
  if (mode_ != BagMode::sum)
    detail::fail(label(), fmt::format("weights are given, but its mode is {}: sum is needed", name_of(mode_)),
                 call.line());
  if (per_sample_weights.shape() != ids.shape())
    detail::fail(label(),
                 fmt::format("ids are {}, their weights {}: the shapes must agree", ids.type_string(),
                             per_sample_weights.type_string()),
                 call.line());
  return call.result(bag(ids, per_sample_weights));
}

// rows:[..., bag, size], reduced over axis -2.
Tensor EmbeddingBag::bag(const Tensor& ids, const Tensor& weights) const {
  require_rank(label(), ids, 1, ids.rank(), "[..., bag]");
  Tensor rows = embedding(parameter("w"), ids);
  if (weights.defined()) rows = rows * unsqueeze(weights, -1);
  if (!padding_) return mode_ == BagMode::sum ? sum(rows, -2) : mode_ == BagMode::mean ? mean(rows, -2) : max(rows, -2);
  const Tensor kept = unsqueeze(not_equal(ids, *padding_), -1);
  const Tensor count = sum(cast(kept, rows.dtype()), -2);
  if (mode_ == BagMode::max) {
    const Tensor largest = max(where(kept, rows, -std::numeric_limits<double>::infinity()), -2);
    return where(count > 0, largest, 0.0);
  }
  const Tensor total = sum(where(kept, rows, 0.0), -2);
  return mode_ == BagMode::sum ? total : total / maximum(count, 1.0);
}

}  // namespace pullback::nn
