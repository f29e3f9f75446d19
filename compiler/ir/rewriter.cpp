// The rewriting walk moves a region's ops out and appends them again one by one, so that what a rule builds lands
// before the op it replaces.
#include "compiler/ir/rewriter.h"

#include "compiler/ops/op_def.h"
#include "compiler/support/pointer_map.h"

namespace pullback::ir {

namespace {

using Replaced = PointerMap<Value*>;

void replace(std::vector<Value*>& values, const Replaced& replaced) {
  for (Value*& value : values)
    if (Value* const* entry = replaced.find(value)) value = *entry;
}

void record(const Op& op, const std::vector<Value*>& replacements, Replaced& replaced) {
  if (replacements.size() != op.results.size())
    throw InternalError("rewrite: " + op.def->name + " has " + std::to_string(op.results.size()) + " results, but " +
                        std::to_string(replacements.size()) + " replacements");
  for (std::size_t i = 0; i < replacements.size(); ++i) {
    Value* replacement = replacements[i];
    if (replacement->type != op.result(i)->type)
      throw InternalError("rewrite: " + op.def->name + ": " + to_string(op.result(i)->type) + " was replaced by " +
                          to_string(replacement->type));
    if (replacement->name.empty()) replacement->name = op.result(i)->name;  // the user's name lives on
    replaced[op.result(i)] = replacement;
  }
}

}  // namespace

bool rewrite(Region& region, const Rule& rule) {
  bool changed = false;
  Replaced replaced;
  Builder builder(region);
  std::vector<std::unique_ptr<Op>> pending = std::move(region.ops);
  region.ops.clear();
  for (std::unique_ptr<Op>& op : pending) {
    replace(op->operands, replaced);
    for (const auto& nested : op->regions) changed |= rewrite(*nested, rule);
    if (!builder.location.shares(op->location)) builder.location = op->location;
    const std::vector<Value*> replacements = rule(*op, builder);
    if (!replacements.empty()) {
      record(*op, replacements, replaced);
      changed = true;
    }
    region.ops.push_back(std::move(op));
  }
  replace(region.results, replaced);
  return changed;
}

std::unordered_map<const Value*, int> use_counts(const Region& region) {
  std::unordered_map<const Value*, int> counts;
  for (const auto& op : region.ops)
    for (const Value* operand : op->operands) ++counts[operand];
  for (const Value* result : region.results) ++counts[result];
  return counts;
}

}  // namespace pullback::ir
