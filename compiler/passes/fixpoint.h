// Applying a rewrite rule until it finds nothing more: what makes the rewriting passes idempotent.
#pragma once

#include "compiler/ir/rewriter.h"

namespace pullback::passes {

/// Rewrites by `rule` until nothing changes, removing the ops that nobody reads after each walk. Returns whether
/// anything changed.
bool rewrite_until_stable(ir::Function& function, const ir::Rule& rule);

}  // namespace pullback::passes
