// Ops by what they are and read, so that an equal one is found again.
#pragma once

#include <bit>
#include <cstddef>
#include <vector>

#include "compiler/ir/graph.h"

namespace pullback::ir {

/// Of one region, each before those that might read it.
class KnownOps {
 public:
  KnownOps() = default;
  explicit KnownOps(std::size_t expected) { slots_.resize(std::bit_ceil(2 * expected + 1)); }

  /// A known op that computes the same as `op`, which becomes known when there is none. Null then, and always for an op
  /// with regions or an effect.
  Op* find_or_add(Op& op);

 private:
  struct Slot {
    std::size_t hash = 0;
    Op* op = nullptr;
  };
  void grow();

  std::vector<Slot> slots_;  ///< a power of two, or none; at least half are free
  std::size_t size_ = 0;
};

}  // namespace pullback::ir
