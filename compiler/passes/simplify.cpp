#include "compiler/passes/simplify.h"

#include <unordered_map>

#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

using RulesByOp = std::unordered_map<const ops::OpDef*, std::vector<const SimplifyRule*>>;

const RulesByOp& rules() {
  static const RulesByOp table = [] {
    RulesByOp result;
    for (const auto rows : {arithmetic_rules(), logic_rules(), movement_rules()})
      for (const SimplifyRule& row : rows) result[row.def].push_back(&row);
    return result;
  }();
  return table;
}

/// c + x = x + c, so that the rules look for numbers on the right only.
std::vector<ir::Value*> number_to_the_right(ir::Op& op, ir::Builder& builder) {
  if (!op.def->traits.commutative || op.operands.size() != 2) return {};
  if (!splat_of(op.operand(0)) || splat_of(op.operand(1))) return {};
  return {builder.value(*op.def, {op.operand(1), op.operand(0)}, op.attributes)};
}

/// A conditional whose predicate is known is the branch that is taken.
std::vector<ir::Value*> take_known_branch(ir::Op& op, ir::Builder& builder) {
  const std::optional<ir::Literal> predicate = splat_of(op.operand(0));
  if (!predicate) return {};
  const ir::Region& branch = *op.regions[predicate->as_integer(0) != 0 ? 0 : 1];
  ir::ValueMap map;
  for (std::size_t i = 1; i < op.operands.size(); ++i) map[branch.arguments[i - 1].get()] = op.operand(i);
  return builder.copy_body(branch, map);
}

std::vector<ir::Value*> apply_rules(ir::Op& op, ir::Builder& builder) {
  if (op.def == &ops::op_cond) return take_known_branch(op, builder);
  if (auto swapped = number_to_the_right(op, builder); !swapped.empty()) return swapped;
  const auto entry = rules().find(op.def);
  if (entry == rules().end()) return {};
  for (const SimplifyRule* rule : entry->second)
    if (ir::Value* replacement = rule->apply(op, builder)) return {replacement};
  return {};
}

/// A conditional that was replaced goes at once: a check in it would stay for its effect.
void remove_known_conditionals(ir::Region& region) {
  std::erase_if(region.ops, [](const std::unique_ptr<ir::Op>& op) {
    return op->def == &ops::op_cond && splat_of(op->operand(0)).has_value();
  });
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) remove_known_conditionals(*nested);
}

}  // namespace

bool simplify(ir::Function& function) {
  bool changed = false;
  while (ir::rewrite(function.body, apply_rules)) {
    changed = true;
    remove_known_conditionals(function.body);
    ir::remove_unread_ops(function.body);
  }
  return changed;
}

}  // namespace pullback::passes
