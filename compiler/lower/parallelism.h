// When several threads are worth it: for a step as a whole, then for each of its kernels.
#pragma once

#include <vector>

#include "compiler/lower/draft.h"

namespace pullback {
struct Target;
}

namespace pullback::lower {

/// Work of a kernel, in scalar instructions (survey.h), below which one thread does it all: about a microsecond.
/// Handing a part to a waiting thread and hearing of its end takes 0.3 of one, beside what the part's data take to get
/// there.
inline constexpr double kParallelWork = 4e4;
/// The same for the floating operations of a contraction, of which a microsecond holds more.
inline constexpr double kParallelFlops = 3e5;

/// Is the whole worth several threads? Handing over a part and what it reads takes a while: in a step of a few
/// microseconds, or of many short kernels, longer than two cores gain.
bool is_worth_threads(const Draft& draft, const Target& target);

}  // namespace pullback::lower
