// From tensors to kernels: groups the ops of a specialized function into kernels, writes each kernel as loops, and
// plans order and memory.
#pragma once

#include <cstdint>
#include <memory>

#include "compiler/ir/schedule.h"
#include "compiler/lower/contraction_schedule.h"

namespace pullback {
struct Target;
}
namespace pullback::ir {
class Function;
}

namespace pullback::lower {

/// Which kernels are shared among threads: none, the large ones of a step that is large enough, the large ones.
enum class Threads : std::uint8_t { one, where_worth, several };

struct Options {
  bool fuse = true;  ///< false: every op that computes something gets a kernel of its own (to compare, to find faults)
  Threads threads = Threads::where_worth;
  bool share_kernels = true;      ///< false: each group's kernel is written anew (to compare, to find faults)
  bool reuse_memory = true;       ///< false: arena buffers never overlap and nothing is in place
  std::int64_t memory_limit = 0;  ///< bytes of the arena; above 0: values are computed again rather than kept
  bool winograd = true;           ///< false: no convolution by Winograd's method
  ScheduleSource schedules = {};  ///< chooses how contractions are cut; equal problems must get equal answers
};

/// Lowers `function`, whose shapes must all be numbers and whose composites must have been inlined. The module's slots
/// are the function's arguments in order, then its results that update no state. Throws Error for an op that this
/// function cannot run (named, with the user's line) and for a memory limit that can't be kept, InternalError when the
/// function breaks the rules of ir/graph.h.
schedule::Module lower(const ir::Function& function, const Target& target, const Options& options = {});
/// The same of a function that nobody needs any more.
schedule::Module lower(std::unique_ptr<ir::Function> function, const Target& target, const Options& options = {});

}  // namespace pullback::lower
