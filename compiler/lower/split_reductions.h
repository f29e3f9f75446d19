// Reductions of many elements to few results would run in one thread, and apart from other work on the same rows: they
// are done in two stages.
#pragma once

namespace pullback::ir {
class Function;
}

namespace pullback::lower {

/// Rewrites a fold over leading axes as a fold of S slabs, whose results are folded again, and a fold over both leading
/// and trailing axes as two. S depends on the shape alone, and so do the bits of the result. Returns whether anything
/// changed.
bool split_reductions(ir::Function& function);

}  // namespace pullback::lower
