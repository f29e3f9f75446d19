// Gives large scratch memory of kernels a place between the values of the step.
#pragma once

#include "compiler/lower/draft.h"

namespace pullback::lower {

/// Makes large scratch buffers of kernels that one thread runs parameters over storages of their own, which live only
/// while the kernel runs: where memory between values is free then, they take none. The scratch of kernels that
/// several threads run belongs to the threads.
void place_scratch(Draft& draft);

}  // namespace pullback::lower
