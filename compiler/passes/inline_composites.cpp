// Composites and stop_gradient are for differentiation and for readers; what they compute is their bodies.
#include "compiler/ir/rewriter.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

std::vector<ir::Value*> expand(ir::Op& op, ir::Builder& builder) {
  if (op.def == &ops::op_stop_gradient) return {op.operand(0)};
  if (op.def != &ops::op_composite) return {};
  const ir::Region& body = *op.regions.front();
  ir::ValueMap map;
  for (std::size_t i = 0; i < op.operands.size(); ++i) map[body.arguments[i].get()] = op.operand(i);
  return builder.copy_body(body, map);
}

/// What was replaced goes at once: a composite with a check inside would stay for its effect.
void remove_expanded(ir::Region& region) {
  std::erase_if(region.ops, [](const std::unique_ptr<ir::Op>& op) {
    return op->def == &ops::op_composite || op->def == &ops::op_stop_gradient;
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
