// Chooses the anchors: the values that are computed by a kernel as such rather than inside each reader.
#pragma once

#include <unordered_set>

#include "compiler/lower/group.h"

namespace pullback::lower {

std::unordered_set<const ir::Value*> choose_anchors(const ir::Region& region, Accesses& accesses,
                                                    const GroupLimits& limits);

/// The anchors and arguments that the expression of `anchor` (an op with an element rule) reads.
std::vector<AnchorRead> reads_of(const ir::Value& anchor, const std::unordered_set<const ir::Value*>& anchors,
                                 Accesses& accesses);

}  // namespace pullback::lower
