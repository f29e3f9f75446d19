// Checks of indices, and indexing by indices that need none.
#pragma once

#include <pullback/tensor.h>

#include "compiler/frontend/trace.h"

namespace pullback::detail {

/// Throws Error unless the indices are i32 or i64.
void require_index(const char* op, const Tensor& indices, const SourceLine& line);
/// Adds the check that all indices lie in axis `axis` of x; it names the smallest and the largest.
void check_indices(const char* op, const Tensor& indices, const Tensor& x, int axis, const SourceLocation& where);

/// result[.., i, ..] = x[.., indices[.., i, ..], ..] with indices that are in range by their making. The line is
/// pinned.
Tensor gather_unchecked(const Tensor& x, const Tensor& indices, int axis);
/// The first elements of x along all axes but `axis`, as many as `shape` has. Throws Error when x has fewer. The line
/// is pinned.
Tensor cut_beside(const char* op, const Tensor& x, const Shape& shape, int axis, const SourceLine& line);

}  // namespace pullback::detail
