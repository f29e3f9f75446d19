// relu(z) = select(z <= 0, 0, z), and its gradient asks z <= 0 again, long after. relu(z) <= 0 says the same and
// usually costs nothing: what reads relu(z) mostly keeps it for a gradient of its own, while nothing else needs z then.
// So for every clamp at a number b that keeps b's side distinguishable: select(z <= b, b, z), select(z >= b, b, z),
// select(z > b, z, b), select(z < b, z, b). A NaN compares false in both places: the first two hand it on, the last two
// give b.
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/ir/builder.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

/// Is `op` one of the clamps above? Its predicate is then a comparison with the number at which it clamps.
bool is_clamp(const ir::Op& op) {
  if (op.def != &ops::op_select) return false;
  const ir::Op* comparison = made_by(op.operand(0), ops::op_compare);
  if (!comparison) return false;
  const ir::Value *z = comparison->operand(0), *bound = comparison->operand(1);
  // What is given in any case (an argument) stays in memory: asking it costs nothing.
  if (!z->definer || z == bound || !splat_of(bound)) return false;
  const std::string& direction = comparison->attributes.string("direction");
  if (direction == "le" || direction == "ge") return op.operand(1) == bound && op.operand(2) == z;
  if (direction == "gt" || direction == "lt") return op.operand(1) == z && op.operand(2) == bound;
  return false;
}

bool compare_results(ir::Region& region) {
  bool changed = false;
  std::unordered_map<const ir::Value*, ir::Value*> clamped;  // by the predicate of the clamp
  ir::ValueMap instead;
  ir::Builder builder(region);
  std::vector<std::unique_ptr<ir::Op>> ops = std::move(region.ops);
  region.ops.clear();
  // The comparison that takes the place of a clamp's predicate, built where it is first read.
  const auto replace = [&](ir::Value*& operand) {
    const auto clamp = clamped.find(operand);
    if (clamp == clamped.end()) return;
    ir::Value*& replacement = instead[operand];
    if (!replacement) {
      const ir::Op& comparison = *operand->definer;
      builder.location = comparison.location;
      replacement = builder.value(ops::op_compare, {clamp->second, comparison.operand(1)}, comparison.attributes);
    }
    operand = replacement;
    changed = true;
  };
  for (std::unique_ptr<ir::Op>& op : ops) {
    for (const auto& nested : op->regions) changed |= compare_results(*nested);
    for (ir::Value*& operand : op->operands) replace(operand);
    if (is_clamp(*op)) clamped.emplace(op->operand(0), op->result());
    region.ops.push_back(std::move(op));
  }
  return changed;
}

}  // namespace

bool compare_clamped(ir::Function& function) {
  return compare_results(function.body);
}

}  // namespace pullback::passes
