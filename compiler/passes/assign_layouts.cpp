// The right side of a contraction is read fastest when its free axes (the columns of the result) are contiguous. A
// value that only such contractions read, and that is written by moving data anyway, is laid out as they like it.
// Everything else stays row-major: a contraction's own result is stored along its columns, and arguments belong to the
// caller.
#include <unordered_map>

#include "compiler/ir/layout.h"
#include "compiler/ops/op_def.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

struct Reader {
  const ir::Op* op = nullptr;  ///< null: a result of the region
  std::size_t operand = 0;
};
using Readers = std::unordered_map<const ir::Value*, std::vector<Reader>>;

Readers readers_of(const ir::Region& region) {
  Readers readers;
  for (const auto& op : region.ops)
    for (std::size_t i = 0; i < op->operands.size(); ++i) readers[op->operand(i)].push_back({op.get(), i});
  for (const ir::Value* result : region.results) readers[result].push_back({});
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

}  // namespace

bool assign_layouts(ir::Function& function) {
  const Readers readers = readers_of(function.body);
  bool changed = false;
  for (const auto& op : function.body.ops) {
    if (op->results.size() != 1 || !op->regions.empty()) continue;
    const ir::Value& value = *op->result();
    const auto entry = readers.find(&value);
    ir::Integers order = identity(value.type.rank());
    if (entry != readers.end() && written_in_any_order(*op)) {
      order = wanted_order(entry->second.front(), value.type.rank());
      for (const Reader& reader : entry->second)
        if (wanted_order(reader, value.type.rank()) != order) order = identity(value.type.rank());
    }
    if (order == ir::layout_of(value)) continue;
    ir::set_layout(*op, order);
    changed = true;
  }
  return changed;
}

}  // namespace pullback::passes
