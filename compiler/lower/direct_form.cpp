// Which contractions are convolutions that are written as tiles of pixels x output channels.
#include "compiler/lower/contraction_phases.h"
#include "compiler/lower/direct_convolution.h"
#include "compiler/lower/winograd.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {
namespace {

/// Without windows, and with images as one run of pixels, a convolution is a product of matrices; but phases, of which
/// one may be that, are written together.
bool is_matrix_product(const ir::Op& op, const ContractionShape& shape) {
  return shape.bounds.empty() && shape.batch.empty() && shape.n.size() <= 1 && shape.k.size() == 1 &&
         !has_spread_elements(op.def->contraction(op));
}

}  // namespace

bool is_depthwise(const ContractionShape& shape) {
  if (!shape.m.empty() || shape.batch.size() != 1) return false;
  const Loop& groups = shape.batch.front();
  return groups.a == 1 && groups.b == 1 && groups.c == 1;
}

bool is_direct_convolution(const ir::Op& op, const ContractionShape& shape) {
  if (is_winograd(op)) return true;
  if (op.def != &ops::op_convolution || is_matrix_product(op, shape)) return false;
  return is_depthwise(shape) || (shape.m.size() == 1 && shape.m[0].a == 1 && shape.m[0].b == 0 && shape.m[0].c == 1);
}

}  // namespace pullback::lower
