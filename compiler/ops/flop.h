// How much a function computes, read off its ops.
#pragma once

#include "compiler/ir/graph.h"
#include "compiler/ops/contraction.h"

namespace pullback::ops {

/// Floating operations of the contractions (and of ops that count their own), all iterations of scans among them. Of
/// branches the more expensive side; a while loop counts once, since nobody knows how often it runs.
FlopCount count_flop(const ir::Region& region);

}  // namespace pullback::ops
