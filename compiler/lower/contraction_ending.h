// What a contraction's kernel computes of each element besides its sum.
#pragma once

#include "compiler/lower/access.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"

namespace pullback::lower {

/// Does it take so many instructions, as the error function does, that they keep the tile's sums from their registers?
bool has_long_ending(const Group& group, const Placement& placement, Accesses& accesses);

}  // namespace pullback::lower
