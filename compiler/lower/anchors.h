// Chooses the anchors: the values that are computed by a kernel as such rather than inside each reader.
#pragma once

#include "compiler/lower/group.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

PointerSet choose_anchors(const ir::Region& region, Accesses& accesses, const GroupLimits& limits);

}  // namespace pullback::lower
