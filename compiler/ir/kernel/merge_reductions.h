// Neighbouring reductions over the same range become one loop, which carries them all.
#pragma once

#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// Merges vector loops that stand side by side in a block, only reduce, and are alike in extent, width and
/// accumulators, as long as a loop keeps at most `most_vectors` partial vectors in flight and none needs what another
/// gives. What they read alike is read once. Each reduction keeps its order: no result changes.
void merge_reductions(Kernel& kernel, int most_vectors);

}  // namespace pullback::kernel
