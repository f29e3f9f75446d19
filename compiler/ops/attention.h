// What the two ops of attention share: their operands, their sizes, and what they mean in simpler ops.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "compiler/ops/define.h"

namespace pullback::ops {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Which operands an attention has, and in which order: query, key, value, then those below that it has.
/// query [B...,L,H,E], key [B...,S,H,E], value [B...,S,H,V], mask and factor [B...,H,L,S].
struct AttentionOperands {
  std::optional<std::size_t> mask;    ///< bool: which keys a query attends to; floating: added to the scores
  std::optional<std::size_t> factor;  ///< multiplied with the weights: what dropout does
  // Of the gradient: the forward op's results and their cotangents.
  std::size_t output = 0, statistics = 0, cotangent = 0;
  std::optional<std::size_t> statistics_cotangent;
  std::size_t count = 3;

  explicit AttentionOperands(const ir::Op& op);
};

/// The sizes, known numbers.
struct AttentionSizes {
  std::vector<std::int64_t> batch;
  std::int64_t queries = 0, keys = 0, heads = 0, features = 0, value_features = 0;

  explicit AttentionSizes(const ir::Op& op);
  std::int64_t groups() const;  ///< independent attentions: batch * heads
};

/// Kernels that never hold more than a block of the scores.
void lower_attention(LowerContext& c);
void lower_attention_gradient(LowerContext& c);

}  // namespace pullback::ops
