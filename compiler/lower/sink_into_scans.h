// Moves products that are computed for all iterations of a scan, and read slice by slice, into its body.
#pragma once

#include "compiler/ir/graph.h"
#include "compiler/support/target.h"

namespace pullback::lower {

/// What a scan slices, and nobody else reads, is computed in each iteration when that costs no more: products of enough
/// rows with matrices that stay in the cache beside the others of the body, and elementwise work behind them. It then
/// needs no memory for all iterations, and is near when it is read. Returns whether anything was changed.
bool sink_into_scans(ir::Function& function, const Target& target);

}  // namespace pullback::lower
