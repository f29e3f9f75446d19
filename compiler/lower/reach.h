// Paths in the graphs of groups and of schedule items.
#pragma once

#include <cstddef>
#include <vector>

namespace pullback::lower {

/// Is `to` among `from`, or does a path lead there? `successors(i)` are the nodes after node i, of `count` nodes.
template <class Successors>
bool leads_to(std::vector<std::size_t> from, std::size_t to, std::size_t count, Successors successors) {
  std::vector<bool> seen(count);
  while (!from.empty()) {
    const std::size_t i = from.back();
    from.pop_back();
    if (i == to) return true;
    if (seen[i]) continue;
    seen[i] = true;
    const auto& next = successors(i);
    from.insert(from.end(), next.begin(), next.end());
  }
  return false;
}

}  // namespace pullback::lower
