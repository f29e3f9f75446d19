// Where the carries of a loop lie: replaced in place, read and written in two places that change roles, or one behind
// the other where all their values are kept.
#pragma once

#include <optional>
#include <vector>

#include "compiler/lower/draft.h"

namespace pullback::lower {

/// A carry of a loop, by storages.
struct Carry {
  std::size_t initial = 0;       ///< its value before the loop
  bool initial_is_free = false;  ///< nothing else reads that
  std::size_t before = 0;        ///< what the body reads
  std::size_t after = 0;         ///< what the body writes
  std::size_t last = 0;          ///< found here: its value behind the loop
  bool has_history = false;      ///< each value stays: nothing is replaced
  std::size_t first = 0;         ///< with a history: where its value before the loop is expected
};

/// The values of a scan's carry before the loop and after each iteration, one behind the other: stacked, those that
/// iterations begin with and those that they end with are parts of it.
struct History {
  std::size_t first = 0, last = 0;      ///< the value before and behind the loop
  std::size_t before = 0, after = 0;    ///< in an iteration
  std::size_t befores = 0, afters = 0;  ///< stacked
};
/// `value` describes one of them. `reverse`: the loop counts down.
History add_history(Draft& draft, const Storage& value, const LoopItem& loop, bool reverse);

/// The carry whose values before or after each iteration are what result `i` of the scan stacks.
struct StackedCarry {
  std::size_t carry = 0;
  bool after = false;
};
std::optional<StackedCarry> stacked_carry(const ir::Op& scan, std::size_t i);

/// Decides for each carry, orders the loop's items accordingly, and appends the loop to `items`, behind what brings the
/// first values into place.
void append_loop(Draft& draft, LoopItem loop, std::vector<Carry>& carries, int vector_bytes, std::vector<Item>& items);

}  // namespace pullback::lower
