// What sort and top_k have in common: results {values, i64 positions} in a stable order along the attribute `axis`.
#pragma once

#include "compiler/ops/contexts.h"

namespace pullback::ops {

/// Each line in order, as many elements as the results hold.
void eval_order(EvalContext& c, bool descending);
/// dx = zeros with g of the values added at the positions.
void order_vjp(GradContext& c);

}  // namespace pullback::ops
