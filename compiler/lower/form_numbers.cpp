#include "compiler/lower/form_numbers.h"

#include <algorithm>

namespace pullback::lower {

std::uint32_t FormNumbers::of(const ir::Op& op) {
  std::uint32_t& known = known_[&op];
  if (known > 0) return known - 1;
  known = 1;
  if (!op.regions.empty()) return 0;
  write_.clear();
  write_.op(op);
  write_.number(op.operands.size());
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    write_.type(op.operand(i)->type);
    write_.number(std::find(op.operands.begin(), op.operands.end(), op.operand(i)) - op.operands.begin());
  }
  write_.number(op.results.size());
  for (const auto& result : op.results) write_.type(result->type);
  auto found = numbers_.find(write_.text());
  if (found == numbers_.end())
    found = numbers_.emplace(write_.text(), static_cast<std::uint32_t>(numbers_.size() + 1)).first;
  known = found->second + 1;
  return found->second;
}

}  // namespace pullback::lower
