// Less memory between kernels, paid with work: values that live across the peak of a step are computed a second time,
// shortly before their late readers, instead of being kept.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "compiler/ir/schedule.h"
#include "compiler/lower/group.h"

namespace pullback::ir {
class Function;
}

namespace pullback::lower {

/// Rewrites `function` (whose shapes are numbers) so that large values at its peak that a few instructions compute from
/// what is in memory anyway are computed again rather than kept: where that costs next to no time.
/// Returns how the rewritten function is grouped where the search for more has found that out, without limits.
/// `accesses` are of this function only.
std::optional<Grouping> recompute_cheap(ir::Function& function, Accesses& accesses);

/// Rewrites `function` (whose shapes are numbers) round by round, each time giving up the values at the peak that are
/// cheapest to compute again for their size, until lower(function).arena_bytes is at most `limit`; returns that
/// schedule. The rounds do not depend on `limit`: what one limit reaches, every larger one does. Throws Error, naming
/// the smallest number that was reached, when there is nothing left to give up.
schedule::Module limit_memory(ir::Function& function, std::int64_t limit,
                              const std::function<schedule::Module(const ir::Function&)>& lower);

}  // namespace pullback::lower
