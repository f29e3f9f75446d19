// Convolutions by Winograd's minimal filtering: tiles of the images are transformed, multiplied as matrices and
// transformed back, block by block.
#pragma once

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"

namespace pullback::lower {

/// Is it one of the ops that write_winograd() writes?
bool is_winograd(const ir::Op& op);

/// Writes the kernel of a group around a winograd_convolution, and of what is behind it, or of winograd_products.
void write_winograd(const Group& group, Emitter& emitter, Placement& placement, const ContractionShape& shape,
                    const LoopOptions& options);

}  // namespace pullback::lower
