// Each op is looked up by what it is and reads; an equal one that came before replaces it.
#include "compiler/ir/known_ops.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/passes/passes.h"
#include "compiler/support/pointer_map.h"

namespace pullback::passes {
namespace {

bool run(ir::Region& region) {
  bool changed = false;
  ir::KnownOps known(region.ops.size());
  PointerMap<ir::Value*> replaced;
  const auto update = [&](std::vector<ir::Value*>& values) {
    for (ir::Value*& value : values)
      if (ir::Value* const* entry = replaced.find(value)) value = *entry;
  };
  for (const auto& op : region.ops) {
    update(op->operands);
    for (const auto& nested : op->regions) changed |= run(*nested);
    const ir::Op* same = known.find_or_add(*op);
    if (!same) continue;
    for (std::size_t i = 0; i < op->results.size(); ++i) {
      ir::Value* kept = same->result(i);
      if (kept->name.empty()) kept->name = op->result(i)->name;
      replaced[op->result(i)] = kept;
    }
    changed = true;
  }
  update(region.results);
  return changed;
}

}  // namespace

bool cse(ir::Function& function) {
  const bool changed = run(function.body);
  if (changed) ir::remove_unread_ops(function.body);
  return changed;
}

}  // namespace pullback::passes
