// What rewrite rules ask about values: is it one number everywhere, which op made it, how do permutations compose.
#pragma once

#include <optional>

#include "compiler/ir/graph.h"
#include "compiler/ops/ops.h"

namespace pullback::passes {

/// The op that computes `value` if it is a `def`, else null.
inline ir::Op* made_by(const ir::Value* value, const ops::OpDef& def) {
  return value->definer && value->definer->def == &def ? value->definer : nullptr;
}

/// A value that is the same number everywhere, as a one-element literal: a splat constant, or one that was broadcast,
/// reshaped or transposed. Nothing otherwise, and for tensors without elements.
std::optional<ir::Literal> splat_of(const ir::Value* value);
/// Is the value `number` everywhere, with the sign of zero?
bool is_splat_of(const ir::Value* value, double number);

/// The inverse permutation; `compose(p, q)` is transposing by p, then by q.
ir::Integers inverse(const ir::Integers& permutation);
ir::Integers compose(const ir::Integers& first, const ir::Integers& second);
/// 0, 1, ..., rank-1.
ir::Integers identity(std::size_t rank);
bool is_increasing(const ir::Integers& values);
bool contains(const ir::Integers& values, std::int64_t value);

}  // namespace pullback::passes
