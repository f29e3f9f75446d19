// Checks of indices, shared by indexing and losses.
#pragma once

#include <pullback/tensor.h>

namespace pullback::detail {

/// Adds the check that all indices lie in axis `axis` of x; it names the smallest and the largest.
void check_indices(const char* op, const Tensor& indices, const Tensor& x, int axis, const SourceLocation& where);

}  // namespace pullback::detail
