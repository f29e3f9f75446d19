// What a kernel does in memory and how much work it is, read off its statements.
#pragma once

#include <algorithm>
#include <vector>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::lower {

struct Survey {
  struct Access {
    kernel::Index address;
    const kernel::LoopVar* vector = nullptr;  ///< of the vector loop around it
    bool counts_only = false;                 ///< an index_value: no memory is touched
  };
  /// A condition that changes where `index` reaches `at`.
  struct Edge {
    kernel::Index index;
    std::int64_t at = 0;
  };
  std::vector<Access> accesses;
  std::vector<Edge> edges;
  std::int64_t largest = 4;  ///< bytes of the widest element computed with, 4 or 8
  double work = 0;           ///< about how many scalar instructions a run takes, of branches the longer side
  bool calls = false;        ///< does it evaluate functions?

  /// Elements for each iteration of a vector loop of `extent`. With a function to evaluate that is two registers':
  /// their instructions alternate, and one's wait for each other while the other's run.
  int width(int vector_bytes, std::int64_t extent) const {
    const int one = std::max(1, vector_bytes / static_cast<int>(largest));
    return calls && extent % (2 * one) == 0 ? 2 * one : one;
  }
};

Survey survey(const kernel::Kernel& kernel);

}  // namespace pullback::lower
