// Ops by what they are and read, so that an equal one is found again.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "compiler/ir/graph.h"

namespace pullback::ir {

/// Of one region, each before those that might read it.
class KnownOps {
 public:
  KnownOps() = default;
  explicit KnownOps(std::size_t expected) : ops_(expected) {}

  /// A known op that computes the same as `op`, which becomes known when there is none. Null then, and always for an op
  /// with regions or an effect.
  Op* find_or_add(Op& op);

 private:
  std::unordered_multimap<std::size_t, Op*> ops_;  ///< by hash
};

}  // namespace pullback::ir
