// Copies matrices that a loop multiplies by in each iteration once, before the loop, into the order in which tiles read
// them.
#pragma once

#include "compiler/ir/graph.h"
#include "compiler/support/target.h"

namespace pullback::lower {

/// In the bodies of scans, a product with an invariant matrix whose panels would be packed in each iteration reads
/// panels that are packed before the loop: w:[K,N] as [N/width,K,width]. Returns whether anything was changed.
bool pack_invariants(ir::Function& function, const Target& target);

}  // namespace pullback::lower
