#include "compiler/ops/flop.h"

#include "compiler/ops/op_def.h"
#include "compiler/ops/scan.h"

namespace pullback::ops {

FlopCount count_flop(const ir::Region& region) {
  FlopCount total;
  const auto add = [&](const FlopCount& more, double times) {
    total.nominal += times * more.nominal;
    total.in_bounds += times * more.in_bounds;
  };
  for (const auto& op : region.ops) {
    if (op->def->contraction && is_float(op->operand(0)->type.dtype)) add(count_flop(op->def->contraction(*op)), 1);
    if (op->def->flop) add(op->def->flop(*op), 1);
    if (op->regions.empty()) continue;
    const double trips = op->def->name == "scan" ? static_cast<double>(ScanLayout(*op).length.constant()) : 1;
    FlopCount most;
    for (const auto& inner : op->regions) {
      const FlopCount count = count_flop(*inner);
      if (count.nominal > most.nominal) most = count;
    }
    add(most, trips);
  }
  return total;
}

}  // namespace pullback::ops
