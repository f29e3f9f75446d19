// Composites and stop_gradient are for differentiation and for readers; what they compute is their bodies. So is the
// meaning of other ops, unless they have a better lowering of their own.
#include "compiler/ir/rewriter.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

std::vector<ir::Value*> in_place_of(const ir::Op& op, const ir::Region& body, ir::Builder& builder) {
  ir::ValueMap map;
  for (std::size_t i = 0; i < op.operands.size(); ++i) map[body.arguments[i].get()] = op.operand(i);
  return builder.copy_body(body, map);
}

/// A program is specialized by now; a function that is looked at may have symbols.
bool has_known_sizes(const ir::Op& op) {
  for (const ir::Value* operand : op.operands)
    for (const Dim& size : operand->type.shape)
      if (!size.is_constant()) return false;
  return true;
}

bool stands_for_others(const ir::Op& op) {
  return op.def->meaning && has_known_sizes(op) && !op.def->keeps_own_lowering(op);
}

std::vector<ir::Value*> expand(ir::Op& op, ir::Builder& builder) {
  if (op.def == &ops::op_stop_gradient) return {op.operand(0)};
  if (op.def == &ops::op_composite) return in_place_of(op, *op.regions.front(), builder);
  if (stands_for_others(op)) return in_place_of(op, *op.def->meaning(op), builder);
  return {};
}

/// What was replaced goes at once: a composite with a check inside would stay for its effect.
void remove_expanded(ir::Region& region) {
  std::erase_if(region.ops, [](const std::unique_ptr<ir::Op>& op) {
    return op->def == &ops::op_composite || op->def == &ops::op_stop_gradient || stands_for_others(*op);
  });
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) remove_expanded(*nested);
}

}  // namespace

bool inline_composites(ir::Function& function) {
  // Composites inside a composite's body are expanded before the body is copied.
  const bool changed = ir::rewrite(function.body, expand);
  remove_expanded(function.body);
  return changed;
}

}  // namespace pullback::passes
