// Convolutions compute several output channels at once, so their results have the channels last in memory, and so has
// what is computed from these element by element or window by window. The right side of a contraction is read fastest
// when its free axes (the columns of the result) are contiguous. A value that only such contractions read, and that is
// written by moving data anyway, is laid out as they like it. Everything else stays row-major: a contraction's own
// result is stored along its columns, and arguments belong to the caller.
#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/ops/convolution.h"
#include "compiler/ops/op_def.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"
#include "compiler/support/pointer_lists.h"

namespace pullback::passes {
namespace {

struct Reader {
  const ir::Op* op = nullptr;  ///< null: a result of the region
  std::size_t operand = 0;
};

using Readers = PointerLists<Reader>;

/// Who reads each value of a region, in its order.
Readers readers_of(const ir::Region& region) {
  Readers readers;
  for (const auto& op : region.ops)
    for (std::size_t i = 0; i < op->operands.size(); ++i) readers.add(op->operand(i), {op.get(), i});
  for (const ir::Value* result : region.results) readers.add(result, {});
  return readers;
}

/// The order in which `reader` wants the value: batch axes, contracted axes, free axes. Row-major from others.
ir::Integers wanted_order(const Reader& reader, std::size_t rank) {
  if (!reader.op || reader.op->def != &ops::op_dot_general || reader.operand != 1) return identity(rank);
  const ir::Integers& contracted = reader.op->attributes.pairs("contract").rhs;
  const ir::Integers& batch = reader.op->attributes.pairs("batch").rhs;
  ir::Integers free;
  for (const std::int64_t axis : identity(rank))
    if (!contains(contracted, axis) && !contains(batch, axis)) free.push_back(axis);
  // Where the innermost axis is free, or none is, row-major serves as well.
  if (free.empty() || free.back() == static_cast<std::int64_t>(rank) - 1) return identity(rank);
  ir::Integers order = batch;
  order.insert(order.end(), contracted.begin(), contracted.end());
  order.insert(order.end(), free.begin(), free.end());
  return order;
}

/// Is the value written element by element from wherever its elements lie?
bool written_in_any_order(const ir::Op& op) {
  return op.def->traits.moves_data && op.def != &ops::op_reshape && op.def != &ops::op_broadcast;
}

/// The order in which what `op` reads lies, as dimensions of its result.
ir::Integers followed_order(const ir::Op& op) {
  const std::size_t rank = op.result()->type.rank();
  if (!op.def->element || op.def->contraction || op.def == &ops::op_reshape || op.def == &ops::op_broadcast)
    return identity(rank);
  for (const ir::Value* operand : op.operands) {
    if (operand->type.rank() != rank || ir::is_row_major(*operand)) continue;
    ir::Integers order = ir::layout_of(*operand);
    if (op.def != &ops::op_transpose) return order;
    const ir::Integers& moved = op.attributes.integers("permutation");
    for (std::int64_t& axis : order) axis = std::find(moved.begin(), moved.end(), axis) - moved.begin();
    return order;
  }
  return identity(rank);
}

/// Loops and branches hand values on as they lie, and what leaves the function belongs to the caller.
bool must_be_row_major(const std::vector<Reader>& readers) {
  return std::any_of(readers.begin(), readers.end(), [](const Reader& r) { return !r.op || r.op->def->control; });
}

ir::Integers layout_for(const ir::Op& op, const std::vector<Reader>& readers) {
  const std::size_t rank = op.result()->type.rank();
  if (must_be_row_major(readers)) return identity(rank);
  if (ops::suits_channels_last(op)) return ops::channels_last(rank);
  const ir::Integers followed = followed_order(op);
  if (followed != identity(rank) || readers.empty() || !written_in_any_order(op)) return followed;
  const ir::Integers order = wanted_order(readers.front(), rank);
  const bool all = std::all_of(readers.begin(), readers.end(),
                               [&](const Reader& reader) { return wanted_order(reader, rank) == order; });
  return all ? order : identity(rank);
}

/// Most ops are in row-major order whoever reads them.
bool has_choice(const ir::Op& op) {
  return ops::suits_channels_last(op) || written_in_any_order(op) ||
         !std::all_of(op.operands.begin(), op.operands.end(), [](const auto* v) { return ir::is_row_major(*v); });
}

}  // namespace

bool assign_layouts(ir::Function& function) {
  const Readers readers = readers_of(function.body);
  bool changed = false;
  for (const auto& op : function.body.ops) {
    if (op->results.size() != 1 || !op->regions.empty()) continue;
    const ir::Value& value = *op->result();
    if (!has_choice(*op) && ir::is_row_major(value)) continue;
    const ir::Integers order = layout_for(*op, readers.of(&value));
    if (order == ir::layout_of(value)) continue;
    ir::set_layout(*op, order);
    changed = true;
  }
  return changed;
}

}  // namespace pullback::passes
