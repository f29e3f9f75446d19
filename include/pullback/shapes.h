// Functions that rearrange: shapes change, numbers don't.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// At most one size may be -1: what is left.
Tensor reshape(const Tensor& x, const Shape& shape, SourceLocation where = SourceLocation::current());
/// Joins the axes from `first` on: [B,C,H,W] -> [B,C*H*W].
Tensor flatten(const Tensor& x, int first = 1, SourceLocation where = SourceLocation::current());
/// Swaps two axes.
Tensor transpose(const Tensor& x, int a = -2, int b = -1, SourceLocation where = SourceLocation::current());
/// Result axis i is axis order[i] of x.
Tensor permute(const Tensor& x, const Axes& order, SourceLocation where = SourceLocation::current());
/// Removes axes of size 1; all of them when none are given.
Tensor squeeze(const Tensor& x, const Axes& axes = {}, SourceLocation where = SourceLocation::current());
/// Inserts an axis of size 1 at position `axis` of the result.
Tensor unsqueeze(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// Broadcasts to `shape` by NumPy's rules; -1 keeps a size.
Tensor expand(const Tensor& x, const Shape& shape, SourceLocation where = SourceLocation::current());

/// Joins along an axis; the other axes agree.
Tensor concat(const std::vector<Tensor>& parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// Joins equal shapes along a new axis.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// Reverses the order along axes.
Tensor flip(const Tensor& x, const Axes& axes, SourceLocation where = SourceLocation::current());

}  // namespace pullback
