// What the iterations of a loop read again and again, at places that jump, is read in order.
#pragma once

#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// Where vector loops directly within a serial one load the same elements in each of its iterations, and their vectors
/// do not lie side by side in memory (a short row for each of many), a copy that does is made ahead of that loop.
void keep_repeated_loads(Kernel& kernel);
/// Are a loop's iterations many, and the elements that each reads few enough?
bool keeps_repeated_loads(std::int64_t iterations, std::int64_t elements);

}  // namespace pullback::kernel
