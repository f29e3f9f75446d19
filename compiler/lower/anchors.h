// Chooses the anchors: the values that are computed by a kernel as such rather than inside each reader.
#pragma once

#include "compiler/lower/group.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

PointerSet choose_anchors(const ir::Region& region, Accesses& accesses, const GroupLimits& limits);

/// The anchors and arguments that the expression of `anchor` (an op with an element rule) reads.
std::vector<AnchorRead> reads_of(const ir::Value& anchor, const PointerSet& anchors, Accesses& accesses);

}  // namespace pullback::lower
