// Where the carries of a loop lie: replaced in place, or read and written in two places that change roles.
#pragma once

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
};

/// Decides for each carry, orders the loop's items accordingly, and appends the loop to `items`, behind what brings the
/// first values into place.
void append_loop(Draft& draft, LoopItem loop, std::vector<Carry>& carries, int vector_bytes, std::vector<Item>& items);

}  // namespace pullback::lower
