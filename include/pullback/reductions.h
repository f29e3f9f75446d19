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
/// At ties the gradient is split evenly.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
/// The first index (i64) of the largest element along one axis.
Tensor argmax(const Tensor& x, int axis = -1, bool keepdim = false, SourceLocation where = SourceLocation::current());
Tensor argmin(const Tensor& x, int axis = -1, bool keepdim = false, SourceLocation where = SourceLocation::current());
/// The mean square deviation; `correction` 1 divides by n-1 as PyTorch's default does.
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdim = false, int correction = 0,
           SourceLocation where = SourceLocation::current());
/// log(sum(exp x)), without overflow.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                 SourceLocation where = SourceLocation::current());

}  // namespace pullback
