// The order of a draft's items, and the delivery of results to their slots, which adds to what order must respect.
#pragma once

#include <set>
#include <vector>

#include "compiler/lower/draft.h"

namespace pullback::lower {

/// Items that run one after the other (a draft's, or those of a loop's body) as a graph: an edge says that one must run
/// before another.
class Dependences {
 public:
  Dependences(const Draft& draft, const std::vector<Item>& items);

  /// The item that writes the storage, or -1.
  std::ptrdiff_t writer(std::size_t storage) const;
  const std::vector<std::size_t>& readers(std::size_t storage) const;
  /// Adds the item that comes after those known so far.
  void add_item(const Draft& draft, const Item& item);
  /// Makes each of `before` run before `after`; false (and nothing changes) when that is impossible.
  bool try_order(const std::vector<std::size_t>& before, std::size_t after);
  /// All items, each after what it needs: what checks need before all else, then what frees memory (an optimizer's
  /// update runs as soon as its gradient is there), then by priority, the lower first.
  std::vector<Item> sorted(const Draft& draft, std::vector<Item> items) const;

 private:
  std::vector<std::size_t> order(const Draft& draft, const std::vector<Item>& items) const;
  std::vector<bool> needed_by_checks(const std::vector<Item>& items) const;
  bool reaches(std::size_t from, std::size_t to) const;
  std::vector<std::set<std::size_t>> after_;  // of each item: who must come later
  bool in_order_ = true;                      // every edge leads to an item known later: there can be no cycle
  std::vector<std::ptrdiff_t> writer_;
  std::vector<std::vector<std::size_t>> readers_;
};

/// The kernel's parameter that is this storage, or -1.
int parameter_of(const Unit& unit, std::size_t storage);

/// Turns the draft's deliveries into storages that are slots, copies, and an order of items, which are then sorted by
/// it.
void deliver(Draft& draft, int vector_bytes);

}  // namespace pullback::lower
