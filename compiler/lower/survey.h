// What a kernel does in memory and how much work it is, read off its statements.
#pragma once

#include <vector>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::lower {

struct Survey {
  struct Access {
    kernel::Index address;
    const kernel::LoopVar* vector = nullptr;  ///< of the vector loop around it
    bool counts_only = false;                 ///< an index_value: no memory is touched
  };
  std::vector<Access> accesses;
  std::int64_t largest = 4;  ///< bytes of the widest element computed with, 4 or 8
  double work = 0;           ///< about how many scalar instructions a run takes
};

Survey survey(const kernel::Kernel& kernel);

/// Work below this is done by one thread: handing it out takes some microseconds.
inline constexpr double kParallelWork = 1.5e6;

}  // namespace pullback::lower
