// Sums, extrema and other folds over axes: all axes when none are given.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
            SourceLocation where = SourceLocation::current());
/// The gradient survives zeros.
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
            SourceLocation where = SourceLocation::current());
/// At ties the gradient is split evenly, as PyTorch's amax. Of no elements there is no maximum: Error, or for symbolic
/// sizes -infinity (the smallest integer). Likewise min.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());

/// The first index (i64) of the largest element along one axis. A NaN counts as larger and, for argmin, as smaller
/// than all numbers.
Tensor argmax(const Tensor& x, int axis = -1, bool keepdim = false, SourceLocation where = SourceLocation::current());
Tensor argmin(const Tensor& x, int axis = -1, bool keepdim = false, SourceLocation where = SourceLocation::current());
/// Elements and where they were found.
struct Indexed {
  Tensor values, indices;  ///< indices are i64
};
/// The largest element along one axis and its first index; the gradient goes to that element alone.
Indexed max_with_index(const Tensor& x, int axis = -1, bool keepdim = false,
                       SourceLocation where = SourceLocation::current());
Indexed min_with_index(const Tensor& x, int axis = -1, bool keepdim = false,
                       SourceLocation where = SourceLocation::current());

/// The sum of squared deviations from the mean divided by n - correction, or by 0 when that is negative: the mean
/// square deviation; `correction` 1 is Bessel's, PyTorch's default.
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdim = false, int correction = 0,
           SourceLocation where = SourceLocation::current());
/// The square root of var(); its gradient is 0 where it is 0.
Tensor stddev(const Tensor& x, const Axes& axes = {}, bool keepdim = false, int correction = 0,
              SourceLocation where = SourceLocation::current());
struct VarMean {
  Tensor var, mean;
};
VarMean var_mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false, int correction = 0,
                 SourceLocation where = SourceLocation::current());

/// log(sum(exp x)), without overflow; -infinity when all x are.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                 SourceLocation where = SourceLocation::current());

// --- Of any dtype: an element counts as true when it is not 0 ---
/// Whether there is a true element; false of none.
Tensor any(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
/// Whether all elements are true; true of none.
Tensor all(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
/// The number of true elements, i64.
Tensor count_nonzero(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                     SourceLocation where = SourceLocation::current());

}  // namespace pullback
