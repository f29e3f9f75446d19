// An elementwise op of broadcast operands computes the same numbers many times: it is moved before the broadcast. A sum
// over an axis that a broadcast made is a product.
#include "compiler/ir/rewriter.h"
#include "compiler/ops/build.h"
#include "compiler/passes/fixpoint.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

using Replacement = std::vector<ir::Value*>;

const ir::Integers& dimensions_of(const ir::Op& broadcast) {
  return broadcast.attributes.integers("dimensions");
}

/// The broadcast with the largest operand; null unless every operand is a broadcast. The others must read what can be
/// brought to that operand's shape: a scalar, or a tensor laid out along the same axes.
const ir::Op* widest_broadcast(const ir::Op& op) {
  const ir::Op* widest = nullptr;
  for (const ir::Value* operand : op.operands) {
    const ir::Op* broadcast = made_by(operand, ops::op_broadcast);
    if (!broadcast) return nullptr;
    if (!widest || broadcast->operand(0)->type.rank() > widest->operand(0)->type.rank()) widest = broadcast;
  }
  for (const ir::Value* operand : op.operands) {
    const ir::Value* source = operand->definer->operand(0);
    const bool same_form = source->type.shape == widest->operand(0)->type.shape &&
                           dimensions_of(*operand->definer) == dimensions_of(*widest);
    if (source->type.rank() != 0 && !same_form) return nullptr;
  }
  return widest;
}

Replacement broadcast_past_elementwise(ir::Op& op, ir::Builder& builder) {
  if (op.results.size() != 1 || op.operands.empty()) return {};
  const ir::Op* widest = widest_broadcast(op);
  if (!widest) return {};
  const Shape& shape = widest->operand(0)->type.shape;
  if (ir::element_count(shape) == ir::element_count(op.result()->type.shape)) return {};  // nothing is saved
  std::vector<ir::Value*> operands;
  for (const ir::Value* operand : op.operands) {
    const ops::Value source(builder, operand->definer->operand(0));
    operands.push_back(source.rank() == shape.size() ? source.value : ops::broadcast_scalar(source, shape).value);
  }
  ir::Value* small = builder.value(*op.def, std::move(operands), op.attributes);
  return {ops::broadcast({builder, small}, op.result()->type.shape, dimensions_of(*widest)).value};
}

/// How a reduction over a broadcast splits.
struct Split {
  ir::Integers axes;     ///< reduced axes of the broadcast's operand
  Dim copies = 1;        ///< how often each of its elements is met
  ir::Integers kept_to;  ///< the result's axis for each axis of the operand that stays
};

/// Position of each result axis of a reduction, by operand axis.
ir::Integers positions_after(std::size_t rank, const ir::Integers& reduced) {
  ir::Integers positions;
  std::int64_t next = 0;
  for (const std::int64_t axis : identity(rank)) positions.push_back(contains(reduced, axis) ? -1 : next++);
  return positions;
}

Split split(const ir::Op& reduce, const ir::Op& broadcast) {
  const ir::Integers& axes = reduce.attributes.integers("axes");
  const ir::Integers& dimensions = dimensions_of(broadcast);
  const Shape& source = broadcast.operand(0)->type.shape;
  const Shape& shape = broadcast.result()->type.shape;
  const ir::Integers positions = positions_after(shape.size(), axes);
  Split result;
  for (const std::int64_t axis : axes)
    if (!contains(dimensions, axis)) result.copies = result.copies * shape[static_cast<std::size_t>(axis)];
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    const auto axis = static_cast<std::size_t>(dimensions[i]);
    if (!contains(axes, dimensions[i])) {
      result.kept_to.push_back(positions[axis]);
      continue;
    }
    result.axes.push_back(static_cast<std::int64_t>(i));
    if (source[i] != shape[axis]) result.copies = result.copies * shape[axis];  // a stretched axis of size 1
  }
  return result;
}

Replacement past_reduction(ir::Op& op, ir::Builder& builder) {
  const bool sum = op.def == &ops::op_reduce_sum;
  if (!sum && op.def != &ops::op_reduce_max && op.def != &ops::op_reduce_min) return {};
  const ir::Op* broadcast = made_by(op.operand(0), ops::op_broadcast);
  if (!broadcast) return {};
  const Split parts = split(op, *broadcast);
  // Over no copies at all the sum is 0 even of infinities. One copy: nothing is saved.
  if (!parts.copies.is_constant() || parts.copies.constant() <= 1) return {};

  ir::Value* source = broadcast->operand(0);
  if (!parts.axes.empty()) {
    ir::Attributes attributes = op.attributes;
    attributes.set("axes", parts.axes);
    source = builder.value(*op.def, {source}, std::move(attributes));
  }
  ops::Value result(builder, source);
  if (sum) result = result * static_cast<double>(parts.copies.constant());
  const Shape& shape = op.result()->type.shape;
  if (result.shape() == shape && parts.kept_to == identity(shape.size())) return {result.value};
  return {ops::broadcast(result, shape, parts.kept_to).value};
}

Replacement sink_broadcast(ir::Op& op, ir::Builder& builder) {
  if (op.def->traits.elementwise) return broadcast_past_elementwise(op, builder);
  if (op.def->traits.reduction && op.attributes.has("axes")) return past_reduction(op, builder);
  return {};
}

}  // namespace

bool sink_broadcasts(ir::Function& function) {
  return rewrite_until_stable(function, sink_broadcast);
}

}  // namespace pullback::passes
