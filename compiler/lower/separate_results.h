// Gives each result of a nested region a value of its own.
#pragma once

#include "compiler/ir/graph.h"

namespace pullback::lower {

/// Results of nested regions that are arguments, constants, or the same value twice become copies, which the kernel
/// that computes the value writes too.
void separate_results(ir::Region& region);

}  // namespace pullback::lower
