// Kernels of contractions: the loops around register tiles, packing of operands, and the epilogue at each element.
#pragma once

#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {

/// Writes the kernel of a contraction group. The operands are in memory, perhaps behind strided views.
void write_contraction(const Group& group, Unit& unit, Placement& placement, Accesses& accesses,
                       const LoopOptions& options);

}  // namespace pullback::lower
