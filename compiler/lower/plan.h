// Order and memory: when each item of a draft runs, and where each storage lies.
//
// A storage that must end in an output slot is written there at once. A new state is written over the old one when all
// readers of the old one and all checks can come first (and the writing kernel itself reads it element by element);
// otherwise it is copied at the end. Arena storages share memory when they are never needed at the same time.
#pragma once

#include "compiler/lower/draft.h"

namespace pullback::lower {

struct PlanOptions {
  bool reuse_memory = true;
  int vector_bytes = 32;  ///< for copies
};

schedule::Module plan(Draft draft, const PlanOptions& options);

/// Places for blocks of memory, each needed during [first, last].
struct Block {
  std::int64_t bytes = 0;
  std::size_t first = 0, last = 0;
  std::int64_t offset = 0;  ///< assigned
};
/// The most that blocks needed at the same time take together: no assignment of offsets needs less.
std::int64_t least_bytes(const std::vector<Block>& blocks, std::int64_t alignment);
/// Assigns offsets, multiples of `alignment`, so that blocks needed at the same time never overlap; returns the total.
std::int64_t assign_offsets(std::vector<Block>& blocks, std::int64_t alignment);

}  // namespace pullback::lower
