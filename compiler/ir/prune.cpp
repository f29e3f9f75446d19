#include "compiler/ir/prune.h"

#include <algorithm>
#include <unordered_set>

#include "compiler/ops/op_def.h"
#include "compiler/support/pointer_map.h"

namespace pullback::ir {
namespace {

using Values = PointerSet;

bool reads_any(const Values& live, const Op& op) {
  return std::any_of(op.results.begin(), op.results.end(), [&](const auto& r) { return live.contains(r.get()); });
}

/// Everything that `live` is computed from.
void close_backwards(const Region& region, Values& live) {
  for (std::size_t i = region.ops.size(); i-- > 0;) {
    const Op& op = *region.ops[i];
    if (reads_any(live, op)) live.insert_all(op.operands);
  }
}

/// Does the op read, directly or not, an argument outside `live`?
bool reads_other_arguments(const Function& function, const Op& op, const Values& live) {
  Values closure(op.operands);
  close_backwards(function.body, closure);
  return std::any_of(function.body.arguments.begin(), function.body.arguments.end(),
                     [&](const auto& a) { return closure.contains(a.get()) && !live.contains(a.get()); });
}

void remove_foreign_effects(Function& function) {
  Values live(function.body.results);
  close_backwards(function.body, live);
  // Decided before any is removed: the decision walks the list.
  std::unordered_set<const Op*> foreign;
  for (const auto& op : function.body.ops)
    if (op->results.empty() && has_effect(*op) && reads_other_arguments(function, *op, live)) foreign.insert(op.get());
  std::erase_if(function.body.ops, [&](const std::unique_ptr<Op>& op) { return foreign.contains(op.get()); });
}

void remove_unread_arguments(Function& function) {
  Values read(function.body.results);
  for (const auto& op : function.body.ops) read.insert_all(op->operands);
  for (const FunctionResult& result : function.results)
    if (result.updates >= 0) read.insert(function.body.arguments[static_cast<std::size_t>(result.updates)].get());

  std::vector<std::ptrdiff_t> position(function.body.arguments.size(), -1);
  std::vector<std::unique_ptr<Value>> kept;
  std::vector<ArgumentRole> roles;
  for (std::size_t i = 0; i < position.size(); ++i) {
    if (!read.contains(function.body.arguments[i].get())) continue;
    position[i] = static_cast<std::ptrdiff_t>(kept.size());
    function.body.arguments[i]->index = kept.size();
    roles.push_back(function.roles[i]);
    kept.push_back(std::move(function.body.arguments[i]));
  }
  function.body.arguments = std::move(kept);
  function.roles = std::move(roles);
  for (FunctionResult& result : function.results)
    if (result.updates >= 0) result.updates = position[static_cast<std::size_t>(result.updates)];
}

}  // namespace

std::size_t count_ops(const Region& region) {
  std::size_t count = region.ops.size();
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) count += count_ops(*nested);
  return count;
}

bool has_effect(const Op& op) {
  if (op.def->traits.effectful) return true;
  for (const auto& region : op.regions)
    for (const auto& nested : region->ops)
      if (has_effect(*nested)) return true;
  return false;
}

bool remove_unread_ops(Region& region) {
  bool changed = false;
  Values live(region.results);
  live.reserve(region.ops.size());
  std::vector<std::unique_ptr<Op>> kept;  // last op first
  kept.reserve(region.ops.size());
  for (std::size_t i = region.ops.size(); i-- > 0;) {
    std::unique_ptr<Op>& op = region.ops[i];
    if (!reads_any(live, *op) && !has_effect(*op)) {
      changed = true;
      continue;
    }
    live.insert_all(op->operands);
    for (const auto& nested : op->regions) changed |= remove_unread_ops(*nested);
    kept.push_back(std::move(op));
  }
  std::reverse(kept.begin(), kept.end());
  region.ops = std::move(kept);
  return changed;
}

void remove_unread(Function& function) {
  remove_unread_ops(function.body);
  remove_unread_arguments(function);
}

void keep_needed(Function& function) {
  remove_foreign_effects(function);
  remove_unread(function);
}

}  // namespace pullback::ir
