// Products of matrices that both lie along the sum, with few rows: dot products, whose sums run along memory.
#pragma once

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"

namespace pullback::lower {

/// Do both operands lie along the sum, and are there few rows or columns? Such operands are always stored, rather than
/// computed as a tile packs them: whether they are dot products, and so what the bits of the result are, must not
/// depend on what else reads an operand. `shape` is that of stored operands.
bool lies_along_sums(const ContractionShape& shape);

/// Are dot products of such operands, side by side for a few rows and columns, faster than tiles under a copy of B that
/// has its columns as neighbours? Sums are others then: an element is not one chain, but one for each lane of a vector.
/// So this depends on shapes, types, layouts and the target alone.
bool sums_along_memory(const ContractionShape& shape, const Placement& placement, const LoopOptions& options);

/// Writes the kernel of such a contraction.
void write_dots(const Group& group, Unit& unit, Placement& placement, ContractionShape shape,
                const LoopOptions& options);

}  // namespace pullback::lower
