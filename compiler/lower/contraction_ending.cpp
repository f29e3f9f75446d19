#include "compiler/lower/contraction_ending.h"

#include <algorithm>
#include <set>
#include <vector>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::lower {
namespace {

/// The statements of the longest function that the op's element calls.
std::size_t longest_function(const ir::Op& op, Accesses& accesses) {
  std::size_t longest = 0;
  for (const kernel::Statement& statement : accesses.of(op).scratch->body.statements)
    if (const auto* define = std::get_if<kernel::Define>(&statement); define && define->value->function)
      longest = std::max(longest, define->value->function->body.statements.size());
  return longest;
}

}  // namespace

bool has_long_ending(const Group& group, const Placement& placement, Accesses& accesses) {
  constexpr std::size_t kLongFunction = 30;
  // From what is stored back to the sums.
  std::vector<const ir::Value*> reached(group.stored.begin(), group.stored.end());
  std::set<const ir::Value*> known(reached.begin(), reached.end());
  while (!reached.empty()) {
    const ir::Value* value = reached.back();
    reached.pop_back();
    if (value == group.op->result() || !value->definer || !value->definer->def->element) continue;
    if (longest_function(*value->definer, accesses) >= kLongFunction) return true;
    for (const ir::Value* operand : value->definer->operands)
      if (known.insert(operand).second && (operand == group.op->result() || !placement.is_stored(*operand)))
        reached.push_back(operand);
  }
  return false;
}

}  // namespace pullback::lower
