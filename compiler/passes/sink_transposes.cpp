// A transpose that reaches a contraction or a reduction becomes axis numbers there and costs nothing. Past elementwise
// ops and broadcasts it moves on towards such a reader, or towards another transpose that undoes it.
#include <algorithm>

#include "compiler/ir/rewriter.h"
#include "compiler/ops/build.h"
#include "compiler/passes/fixpoint.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

using Replacement = std::vector<ir::Value*>;

const ir::Integers& permutation_of(const ir::Op& transpose) {
  return transpose.attributes.integers("permutation");
}

std::int64_t at(const ir::Integers& values, std::int64_t i) {
  return values[static_cast<std::size_t>(i)];
}

/// The axes below `rank` that neither list names.
ir::Integers free_axes(std::size_t rank, const ir::Integers& contracted, const ir::Integers& batch) {
  ir::Integers result;
  for (const std::int64_t axis : identity(rank))
    if (!contains(contracted, axis) && !contains(batch, axis)) result.push_back(axis);
  return result;
}

/// One side of a contraction reads the transpose's operand instead, if the order of its free axes stays as it is.
bool absorb(ir::Value*& operand, ir::Integers& contracted, ir::Integers& batch) {
  const ir::Op* transpose = made_by(operand, ops::op_transpose);
  if (!transpose) return false;
  const ir::Integers& permutation = permutation_of(*transpose);
  ir::Integers free = free_axes(permutation.size(), contracted, batch);
  for (std::int64_t& axis : free) axis = at(permutation, axis);
  if (!is_increasing(free)) return false;
  for (std::int64_t& axis : contracted) axis = at(permutation, axis);
  for (std::int64_t& axis : batch) axis = at(permutation, axis);
  operand = transpose->operand(0);
  return true;
}

Replacement into_contraction(ir::Op& op, ir::Builder& builder) {
  ir::AxisPairs contract = op.attributes.pairs("contract"), batch = op.attributes.pairs("batch");
  ir::Value* x = op.operand(0);
  ir::Value* y = op.operand(1);
  const bool left = absorb(x, contract.lhs, batch.lhs);
  const bool right = absorb(y, contract.rhs, batch.rhs);
  if (!left && !right) return {};
  return {ops::dot_general({builder, x}, {builder, y}, contract, batch).value};
}

/// (A B)^T = B^T A^T: the contraction with its sides exchanged writes its result transposed.
Replacement out_of_contraction(ir::Op& op, ir::Builder& builder) {
  const ir::Op* dot = made_by(op.operand(0), ops::op_dot_general);
  if (!dot) return {};
  const ir::AxisPairs& contract = dot->attributes.pairs("contract");
  const ir::AxisPairs& batch = dot->attributes.pairs("batch");
  const std::size_t batches = batch.lhs.size();
  const std::size_t lhs_free = dot->operand(0)->type.rank() - contract.lhs.size() - batches;
  ir::Integers exchanged = identity(op.result()->type.rank());
  const auto free_begin = exchanged.begin() + static_cast<std::ptrdiff_t>(batches);
  std::rotate(free_begin, free_begin + static_cast<std::ptrdiff_t>(lhs_free), exchanged.end());
  if (permutation_of(op) != exchanged) return {};
  return {ops::dot_general({builder, dot->operand(1)}, {builder, dot->operand(0)}, {contract.rhs, contract.lhs},
                           {batch.rhs, batch.lhs})
              .value};
}

Replacement into_reduction(ir::Op& op, ir::Builder& builder) {
  const ir::Op* transpose = made_by(op.operand(0), ops::op_transpose);
  if (!transpose || !op.attributes.has("axes")) return {};
  const ir::Integers& permutation = permutation_of(*transpose);
  ir::Integers axes, kept;
  for (const std::int64_t axis : identity(permutation.size()))
    (contains(op.attributes.integers("axes"), axis) ? axes : kept).push_back(at(permutation, axis));
  if (!is_increasing(axes)) return {};  // elements would be folded in another order

  ir::Attributes attributes = op.attributes;
  attributes.set("axes", axes);
  ir::Value* reduced = builder.value(*op.def, {transpose->operand(0)}, std::move(attributes));
  if (is_increasing(kept)) return {reduced};
  ir::Integers sorted = kept, order;
  std::sort(sorted.begin(), sorted.end());
  for (const std::int64_t axis : kept) order.push_back(std::find(sorted.begin(), sorted.end(), axis) - sorted.begin());
  return {ops::transpose({builder, reduced}, order).value};
}

/// The broadcast of a transpose is a transpose of the broadcast: axes of the operand take their places among the
/// broadcast's axes in their own order, and change places there.
Replacement past_broadcast(ir::Op& op, ir::Builder& builder) {
  const ir::Op* transpose = made_by(op.operand(0), ops::op_transpose);
  if (!transpose) return {};
  const ir::Integers& permutation = permutation_of(*transpose);
  const ir::Integers& dimensions = op.attributes.integers("dimensions");
  const Shape& shape = op.attributes.shape("shape");
  ir::Integers order = identity(shape.size());
  for (std::size_t i = 0; i < permutation.size(); ++i)
    order[static_cast<std::size_t>(dimensions[i])] = at(dimensions, permutation[i]);
  Shape before(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) before[static_cast<std::size_t>(order[i])] = shape[i];
  const ops::Value wide = ops::broadcast({builder, transpose->operand(0)}, before, dimensions);
  return {ops::transpose(wide, order).value};
}

/// The dimensions of a broadcast whose result's axes are permuted.
ir::Integers permuted_dimensions(const ir::Op& broadcast, const ir::Integers& permutation) {
  const ir::Integers where = inverse(permutation);
  ir::Integers dimensions = broadcast.attributes.integers("dimensions");
  for (std::int64_t& axis : dimensions) axis = at(where, axis);
  return dimensions;
}

/// A broadcast's result with its axes permuted, at no cost.
ir::Value* permuted_broadcast(ir::Builder& builder, const ir::Op& broadcast, const ir::Integers& permutation) {
  Shape shape;
  for (const std::int64_t axis : permutation)
    shape.push_back(broadcast.attributes.shape("shape")[static_cast<std::size_t>(axis)]);
  const ir::Integers dimensions = permuted_dimensions(broadcast, permutation);
  return ops::broadcast({builder, broadcast.operand(0)}, shape, dimensions).value;
}

/// f(transpose(x), transpose(y), broadcast(c)) = transpose(f(x, y, broadcast'(c))).
Replacement transpose_past_elementwise(ir::Op& op, ir::Builder& builder) {
  if (op.results.size() != 1) return {};
  const ir::Integers* permutation = nullptr;
  for (const ir::Value* operand : op.operands) {
    if (const ir::Op* transpose = made_by(operand, ops::op_transpose)) {
      if (permutation && *permutation != permutation_of(*transpose)) return {};
      permutation = &permutation_of(*transpose);
    } else if (!made_by(operand, ops::op_broadcast)) {
      return {};
    }
  }
  if (!permutation) return {};
  const ir::Integers undo = inverse(*permutation);
  for (const ir::Value* operand : op.operands) {
    const ir::Op* broadcast = made_by(operand, ops::op_broadcast);
    if (broadcast && !is_increasing(permuted_dimensions(*broadcast, undo))) return {};  // not a broadcast then
  }
  std::vector<ir::Value*> operands;
  for (const ir::Value* operand : op.operands) {
    const ir::Op* transpose = made_by(operand, ops::op_transpose);
    operands.push_back(transpose ? transpose->operand(0) : permuted_broadcast(builder, *operand->definer, undo));
  }
  ir::Value* result = builder.value(*op.def, std::move(operands), op.attributes);
  return {ops::transpose({builder, result}, *permutation).value};
}

Replacement sink_transpose(ir::Op& op, ir::Builder& builder) {
  if (op.def == &ops::op_dot_general) return into_contraction(op, builder);
  if (op.def == &ops::op_transpose) return out_of_contraction(op, builder);
  if (op.def == &ops::op_broadcast) return past_broadcast(op, builder);
  if (op.def->traits.reduction) return into_reduction(op, builder);
  if (op.def->traits.elementwise) return transpose_past_elementwise(op, builder);
  return {};
}

}  // namespace

bool sink_transposes(ir::Function& function) {
  return rewrite_until_stable(function, sink_transpose);
}

}  // namespace pullback::passes
