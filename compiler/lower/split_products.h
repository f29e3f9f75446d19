// Products of few results are one task each, however deep their sums: such sums, as those of weights' gradients over a
// large batch, are done in slabs that threads share.
#pragma once

namespace pullback::ir {
class Function;
}

namespace pullback::lower {

/// Rewrites a product whose sums are deep and few as those of S slabs of its terms, which are added up. S depends on
/// shapes, types and layouts alone, and so do the bits of the result. Returns whether anything changed.
bool split_products(ir::Function& function);

}  // namespace pullback::lower
