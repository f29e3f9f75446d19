// Memory of stacked tensors: what a loop stacks replaces what it reads for the last time.
#pragma once

#include "compiler/lower/draft.h"

namespace pullback::lower {

/// A tensor that dies in a loop, slice by slice, and tensors that the loop stacks share one stack of slices: a slice is
/// written where the one of the iteration before was read. (So in the forward loop of a recurrent network gates replace
/// what they are computed from, and in the backward loop their gradients replace them.) Items are in their final order.
void overlay_stacks(Draft& draft);

}  // namespace pullback::lower
