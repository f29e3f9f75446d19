// What passes and lowering ask of convolutions.
#pragma once

#include "compiler/ir/graph.h"

namespace pullback::ops {

/// Is `op` a convolution of floats whose sums are computed for several output channels at once, side by side in
/// memory: all that see the same input channels, or, where it is depthwise, all? Few leave most of a vector unused.
bool suits_channels_last(const ir::Op& op);

/// Is `op` a convolution, by whatever method?
bool is_convolution(const ir::Op& op);

/// Dimensions from outermost to innermost: batch, space, channels.
ir::Integers channels_last(std::size_t rank);

}  // namespace pullback::ops
