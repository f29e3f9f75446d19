// The gradient of depthwise kernels: sums over all pixels of all images, one for each tap and channel.
#pragma once

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"

namespace pullback::lower {

/// Is it that, with registers enough for all taps of a row of the kernels, and images larger than they are?
bool is_depthwise_gradient(const ContractionShape& shape, const LoopOptions& options);

/// Writes it row by row of the images as these lie in memory, all channels of a few pixels before the next: each tile
/// continues the sums of a vector of channels for all taps that these pixels meet.
void write_depthwise_gradient(const Group& group, Emitter& emitter, const ContractionShape& shape,
                              const LoopOptions& options);

}  // namespace pullback::lower
