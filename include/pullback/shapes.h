// Functions that rearrange: shapes change, numbers don't.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// At most one size may be -1: what is left.
Tensor reshape(const Tensor& x, const Shape& shape, SourceLocation where = SourceLocation::current());
/// Joins the axes from `first` to `last`: [B,C,H,W] -> [B,C*H*W].
Tensor flatten(const Tensor& x, int first = 1, int last = -1, SourceLocation where = SourceLocation::current());
/// Splits an axis into several; at most one size may be -1.
Tensor unflatten(const Tensor& x, int axis, const Shape& sizes, SourceLocation where = SourceLocation::current());
/// Removes axes of size 1; all of them when none are given.
Tensor squeeze(const Tensor& x, const Axes& axes = {}, SourceLocation where = SourceLocation::current());
/// Inserts an axis of size 1 at position `axis` of the result.
Tensor unsqueeze(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());

/// Swaps two axes.
Tensor transpose(const Tensor& x, int a = -2, int b = -1, SourceLocation where = SourceLocation::current());
/// Result axis i is axis order[i] of x.
Tensor permute(const Tensor& x, const Axes& order, SourceLocation where = SourceLocation::current());
/// Axis from[i] of x becomes axis to[i] of the result; the others keep their order.
Tensor movedim(const Tensor& x, const Axes& from, const Axes& to, SourceLocation where = SourceLocation::current());
/// Reverses the order along axes; along all when none are given.
Tensor flip(const Tensor& x, const Axes& axes, SourceLocation where = SourceLocation::current());
/// Moves elements up by shifts[i] along axes[i]; those that leave at the end come back at the start.
Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const Axes& axes,
            SourceLocation where = SourceLocation::current());
/// Turns x by `times` quarters from axis a towards axis b.
Tensor rot90(const Tensor& x, int times = 1, int a = 0, int b = 1, SourceLocation where = SourceLocation::current());

/// Broadcasts to `shape` by NumPy's rules; -1 keeps a size.
Tensor expand(const Tensor& x, const Shape& shape, SourceLocation where = SourceLocation::current());
/// PyTorch's Tensor.repeat and torch.tile: copies side by side, times[i] along the i-th axis. Missing axes of x, or
/// missing times, are completed at the front by 1.
Tensor repeat(const Tensor& x, const std::vector<std::int64_t>& times,
              SourceLocation where = SourceLocation::current());
/// Each element `times` times in succession along an axis.
Tensor repeat_interleave(const Tensor& x, std::int64_t times, int axis,
                         SourceLocation where = SourceLocation::current());
/// Vectors x_i [n_i] as a grid [n_0, n_1, ...]: result i varies along axis i alone (PyTorch's "ij" indexing).
std::vector<Tensor> meshgrid(const std::vector<Tensor>& vectors, SourceLocation where = SourceLocation::current());

/// Joins along an axis; the other axes agree.
Tensor concat(const std::vector<Tensor>& parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// Joins equal shapes along a new axis.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// Parts of the given sizes, which add up to the axis.
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis = 0,
                          SourceLocation where = SourceLocation::current());
/// Parts of `size` elements; the last one may be smaller. The axis has a known size.
std::vector<Tensor> split(const Tensor& x, std::int64_t size, int axis = 0,
                          SourceLocation where = SourceLocation::current());
/// At most `parts` parts of equal size; the last one may be smaller. The axis has a known size.
std::vector<Tensor> chunk(const Tensor& x, int parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// The slices along an axis of known size, without that axis.
std::vector<Tensor> unbind(const Tensor& x, int axis = 0, SourceLocation where = SourceLocation::current());

// --- Diagonals and triangles. Diagonal d holds the elements [i, i + d]: above the main one for d > 0 ---
/// x with zeros above diagonal `diagonal` of the last two axes.
Tensor tril(const Tensor& x, std::int64_t diagonal = 0, SourceLocation where = SourceLocation::current());
/// x with zeros below diagonal `diagonal` of the last two axes.
Tensor triu(const Tensor& x, std::int64_t diagonal = 0, SourceLocation where = SourceLocation::current());
/// The diagonal `offset` over axes a (rows) and b (columns), which have known sizes, as the new last axis.
Tensor diagonal(const Tensor& x, std::int64_t offset = 0, int a = 0, int b = 1,
                SourceLocation where = SourceLocation::current());
/// The inverse of diagonal: the last axis of x becomes diagonal `offset` of square matrices of zeros at axes a and b of
/// the result.
Tensor diag_embed(const Tensor& x, std::int64_t offset = 0, int a = -2, int b = -1,
                  SourceLocation where = SourceLocation::current());
/// A vector as the diagonal of a matrix, or the diagonal of a matrix.
Tensor diag(const Tensor& x, std::int64_t offset = 0, SourceLocation where = SourceLocation::current());
/// The sum of the main diagonal of a matrix.
Tensor trace(const Tensor& x, SourceLocation where = SourceLocation::current());

}  // namespace pullback
