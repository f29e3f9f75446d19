// Identities of ops that move data, and of reductions over nothing. All are exact but one: the sum of one element is
// that element, while the op, starting from +0, gives +0 for -0.
#include <algorithm>

#include "compiler/ops/build.h"
#include "compiler/passes/match.h"
#include "compiler/passes/simplify.h"

namespace pullback::passes {
namespace {

using ir::Builder;
using ir::Op;
using ir::Value;

Value* same_type(const Op& op, Builder&) {
  return op.operand(0)->type == op.result()->type ? op.operand(0) : nullptr;
}

Value* transpose_nothing(const Op& op, Builder&) {
  return is_increasing(op.attributes.integers("permutation")) ? op.operand(0) : nullptr;
}
Value* transpose_twice(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_transpose);
  if (!inner) return nullptr;
  const ir::Integers both = compose(inner->attributes.integers("permutation"), op.attributes.integers("permutation"));
  return ops::transpose({b, inner->operand(0)}, both).value;
}
Value* transpose_broadcast(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_broadcast);
  if (!inner) return nullptr;
  const ir::Integers where = inverse(op.attributes.integers("permutation"));
  ir::Integers dimensions = inner->attributes.integers("dimensions");
  for (std::int64_t& axis : dimensions) axis = where[static_cast<std::size_t>(axis)];
  if (!is_increasing(dimensions)) return nullptr;  // not a broadcast then
  return ops::broadcast({b, inner->operand(0)}, op.result()->type.shape, dimensions).value;
}

Value* reshape_twice(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_reshape);
  return inner ? ops::reshape({b, inner->operand(0)}, op.result()->type.shape).value : nullptr;
}

Value* broadcast_nothing(const Op& op, Builder&) {
  const bool same = op.operand(0)->type == op.result()->type && is_increasing(op.attributes.integers("dimensions"));
  return same ? op.operand(0) : nullptr;
}
Value* broadcast_twice(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_broadcast);
  if (!inner) return nullptr;
  ir::Integers dimensions;
  for (const std::int64_t axis : inner->attributes.integers("dimensions"))
    dimensions.push_back(op.attributes.integers("dimensions")[static_cast<std::size_t>(axis)]);
  return ops::broadcast({b, inner->operand(0)}, op.result()->type.shape, dimensions).value;
}

/// reshape, slice and reverse of a broadcast scalar are the scalar, broadcast.
Value* move_broadcast_scalar(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_broadcast);
  if (!inner || inner->operand(0)->type.rank() != 0) return nullptr;
  return ops::broadcast_scalar({b, inner->operand(0)}, op.result()->type.shape).value;
}

/// A slice with steps of 1 of a slice with any.
Value* slice_twice(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_slice);
  if (!inner) return nullptr;
  const auto is_one = [](std::int64_t step) { return step == 1; };
  const ir::Integers& inner_step = inner->attributes.integers("step");
  const ir::Integers& outer_step = op.attributes.integers("step");
  if (!std::all_of(inner_step.begin(), inner_step.end(), is_one)) return nullptr;
  Shape start = op.attributes.shape("start"), limit = op.attributes.shape("limit");
  for (std::size_t i = 0; i < start.size(); ++i) {
    start[i] = start[i] + inner->attributes.shape("start")[i];
    limit[i] = limit[i] + inner->attributes.shape("start")[i];
  }
  return ops::slice({b, inner->operand(0)}, start, limit, outer_step).value;
}

Value* pad_nothing(const Op& op, Builder&) {
  const auto zero = [](const Dim& d) { return d == Dim(0); };
  const Shape& low = op.attributes.shape("low");
  const Shape& high = op.attributes.shape("high");
  const bool none = std::all_of(low.begin(), low.end(), zero) && std::all_of(high.begin(), high.end(), zero);
  return none && op.operand(0)->type == op.result()->type ? op.operand(0) : nullptr;
}

Value* concatenate_one(const Op& op, Builder&) {
  return op.operands.size() == 1 ? op.operand(0) : nullptr;
}
/// concatenate(concatenate(x, y), z) = concatenate(x, y, z) along one axis.
Value* concatenate_nested(const Op& op, Builder& b) {
  const std::int64_t axis = op.attributes.integer("axis");
  std::vector<ops::Value> parts;
  for (Value* operand : op.operands) {
    const Op* inner = made_by(operand, ops::op_concatenate);
    if (!inner || inner->attributes.integer("axis") != axis)
      parts.emplace_back(b, operand);
    else
      for (Value* part : inner->operands) parts.emplace_back(b, part);
  }
  return parts.size() == op.operands.size() ? nullptr : ops::concatenate(parts, axis).value;
}
/// Parts without elements are left out.
Value* concatenate_empty(const Op& op, Builder& b) {
  const std::int64_t axis = op.attributes.integer("axis");
  std::vector<ops::Value> parts;
  for (Value* operand : op.operands)
    if (operand->type.shape[static_cast<std::size_t>(axis)] != Dim(0)) parts.emplace_back(b, operand);
  if (parts.empty() || parts.size() == op.operands.size()) return nullptr;
  return ops::concatenate(parts, axis).value;
}

Value* reverse_nothing(const Op& op, Builder&) {
  for (const std::int64_t axis : op.attributes.integers("axes"))
    if (op.operand(0)->type.shape[static_cast<std::size_t>(axis)] != Dim(1)) return nullptr;
  return op.operand(0);
}
Value* reverse_twice(const Op& op, Builder&) {
  const Op* inner = made_by(op.operand(0), ops::op_reverse);
  const bool undone = inner && inner->attributes.integers("axes") == op.attributes.integers("axes");
  return undone ? inner->operand(0) : nullptr;
}

Value* reduce_single_elements(const Op& op, Builder& b) {
  for (const std::int64_t axis : op.attributes.integers("axes"))
    if (op.operand(0)->type.shape[static_cast<std::size_t>(axis)] != Dim(1)) return nullptr;
  return ops::reshape({b, op.operand(0)}, op.result()->type.shape).value;
}

}  // namespace

std::span<const SimplifyRule> movement_rules() {
  static const SimplifyRule table[] = {
      {&ops::op_transpose, "a transpose that keeps the order", transpose_nothing},
      {&ops::op_transpose, "a transpose of a transpose", transpose_twice},
      {&ops::op_transpose, "a transpose of a broadcast", transpose_broadcast},
      {&ops::op_reshape, "a reshape to the same shape", same_type},
      {&ops::op_reshape, "a reshape of a reshape", reshape_twice},
      {&ops::op_reshape, "a reshape of a scalar that was broadcast", move_broadcast_scalar},
      {&ops::op_broadcast, "a broadcast to the same shape", broadcast_nothing},
      {&ops::op_broadcast, "a broadcast of a broadcast", broadcast_twice},
      {&ops::op_slice, "a slice of everything", same_type},
      {&ops::op_slice, "a slice of a slice", slice_twice},
      {&ops::op_slice, "a slice of a scalar that was broadcast", move_broadcast_scalar},
      {&ops::op_pad, "padding by nothing", pad_nothing},
      {&ops::op_concatenate, "a concatenation of one", concatenate_one},
      {&ops::op_concatenate, "a concatenation of concatenations", concatenate_nested},
      {&ops::op_concatenate, "a concatenation with nothing", concatenate_empty},
      {&ops::op_reverse, "a reversal of axes of size 1, or of none", reverse_nothing},
      {&ops::op_reverse, "a reversal of a reversal", reverse_twice},
      {&ops::op_reverse, "a reversal of a scalar that was broadcast", move_broadcast_scalar},
      {&ops::op_reduce_sum, "a sum of one element", reduce_single_elements},
      {&ops::op_reduce_prod, "a product of one element", reduce_single_elements},
      {&ops::op_reduce_max, "a maximum of one element", reduce_single_elements},
      {&ops::op_reduce_min, "a minimum of one element", reduce_single_elements},
  };
  return table;
}

}  // namespace pullback::passes
