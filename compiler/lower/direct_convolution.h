// Convolutions whose results have their channels last, for all three passes: register tiles of pixels (or, for the
// gradient of the kernels, of input channels) x output channels, with the taps inside and without padding in memory.
#pragma once

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"

namespace pullback::lower {

/// Are the columns of the result, and of the operand A (the kernels), neighbours in memory? Columns are output
/// channels; of a depthwise convolution, B (the images) has them as neighbours, too. Not a product of two matrices,
/// which is cut as any other is.
bool is_direct_convolution(const ir::Op& op, const ContractionShape& shape);

/// Does each channel have kernels of its own? Vectors then run over the groups.
bool is_depthwise(const ContractionShape& shape);

/// Writes the kernel of such a contraction group; `phases` compute the whole result together.
void write_direct_convolution(const Group& group, Unit& unit, Placement& placement,
                              std::vector<ContractionShape> phases, const LoopOptions& options);

}  // namespace pullback::lower
