// Order along an axis. Equal elements keep their order; NaN counts as the largest. Gradients flow to the elements that
// the values were taken from. All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes
// don't fit.
#pragma once

#include <cstdint>

#include <pullback/scans.h>

namespace pullback {

ValuesAndIndices sort(const Tensor& x, int axis = -1, bool descending = false,
                      SourceLocation where = SourceLocation::current());
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false,
               SourceLocation where = SourceLocation::current());
/// The k largest (or smallest) elements in order.
ValuesAndIndices topk(const Tensor& x, std::int64_t k, int axis = -1, bool largest = true,
                      SourceLocation where = SourceLocation::current());
/// The k-th smallest element, k from 1 on.
ValuesAndIndices kthvalue(const Tensor& x, std::int64_t k, int axis = -1, bool keepdim = false,
                          SourceLocation where = SourceLocation::current());
/// The lower median, NaN if there is one; the axis has a known size.
ValuesAndIndices median(const Tensor& x, int axis, bool keepdim = false,
                        SourceLocation where = SourceLocation::current());
/// The lower median of all elements.
Tensor median(const Tensor& x, SourceLocation where = SourceLocation::current());

}  // namespace pullback
