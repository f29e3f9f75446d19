// Running folds along an axis.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

/// Values, and where they were (i64).
struct ValuesAndIndices {
  Tensor values, indices;
};

/// Sums of the elements up to each one. A bool tensor is counted in i64.
Tensor cumsum(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// Products of the elements up to each one. The gradient survives zeros.
Tensor cumprod(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// The largest element up to each one; of equals the latest is taken, and NaN is the largest.
ValuesAndIndices cummax(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// The smallest element up to each one; of equals the latest is taken, and NaN is the smallest.
ValuesAndIndices cummin(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// log(cumsum(exp x)), without overflow.
Tensor logcumsumexp(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// y_i = a_i * y_{i-1} + b_i along the axis, from 0: discounted sums, moving averages, linear state spaces. From the
/// end when `reverse`.
Tensor linear_recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse = false,
                         SourceLocation where = SourceLocation::current());

}  // namespace pullback
