// Parts of tensors: slices with known bounds, and elements at indices that are tensors themselves.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// Part of an axis: start, start+step, ... before limit. Negative start and limit count from the end.
struct Range {
  std::optional<std::int64_t> start = {};  ///< nothing: from the first element, or the last when step < 0
  std::optional<std::int64_t> limit = {};  ///< nothing: to the end, or the start when step < 0
  std::int64_t step = 1;                   ///< not 0
};
/// One range for each of the leading axes; {} takes the whole axis.
Tensor slice(const Tensor& x, const std::vector<Range>& ranges, SourceLocation where = SourceLocation::current());
/// `length` elements of `axis` from `start` on; a negative start counts from the end.
Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length,
              SourceLocation where = SourceLocation::current());
/// One element of `axis`, which disappears; a negative index counts from the end.
Tensor select(const Tensor& x, int axis, std::int64_t index, SourceLocation where = SourceLocation::current());

// --- Elements at computed indices (i32 or i64). One out of range fails the run with an Error before any state is
// written ---
/// Slices of x along `axis`: indices [I...], x [.., n, ..] -> [.., I..., ..].
Tensor take(const Tensor& x, const Tensor& indices, int axis = 0, SourceLocation where = SourceLocation::current());
/// The same with a vector of indices.
Tensor index_select(const Tensor& x, int axis, const Tensor& indices, SourceLocation where = SourceLocation::current());
/// result[.., i, ..] = x[.., indices[.., i, ..], ..]: PyTorch's gather. Beside `axis` the indices may be smaller than
/// x, which is then cut.
Tensor gather(const Tensor& x, int axis, const Tensor& indices, SourceLocation where = SourceLocation::current());
/// gather with indices that broadcast against x beside `axis`: PyTorch's take_along_dim.
Tensor take_along(const Tensor& x, const Tensor& indices, int axis, SourceLocation where = SourceLocation::current());
/// Rows of a table: table [n,D], ids [I...] -> [I...,D]. The row `padding_idx` gets no gradient (-1 is the last row).
Tensor embedding(const Tensor& table, const Tensor& ids, std::optional<std::int64_t> padding_idx = {},
                 SourceLocation where = SourceLocation::current());
/// ids [I...] -> [I...,classes]: 1 at the index, 0 elsewhere; a row of zeros for an index out of range.
Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype = f32,
               SourceLocation where = SourceLocation::current());

// --- x with elements replaced or changed at computed indices ---
/// result[.., indices[.., i, ..], ..] = updates[.., i, ..], else x. Updates have the shape of the indices, or are a
/// number; beside `axis` that shape may be smaller than x. Of equal indices the last stays.
Tensor scatter(const Tensor& x, int axis, const Tensor& indices, const Operand& updates,
               SourceLocation where = SourceLocation::current());
/// The same, but updates add up.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& indices, const Operand& updates,
                   SourceLocation where = SourceLocation::current());
enum class ScatterReduction : std::uint8_t { sum, prod, mean, amax, amin };
/// The same with updates folded into x's element, or without it (`include_self` false) into the first update. Extrema
/// share their gradient evenly.
Tensor scatter_reduce(const Tensor& x, int axis, const Tensor& indices, const Tensor& updates,
                      ScatterReduction reduction, bool include_self = true,
                      SourceLocation where = SourceLocation::current());
/// Slices alpha * updates[.., i, ..] are added to x[.., indices[i], ..]; indices [n].
Tensor index_add(const Tensor& x, int axis, const Tensor& indices, const Tensor& updates, double alpha = 1,
                 SourceLocation where = SourceLocation::current());
/// Slices updates[.., i, ..] replace x[.., indices[i], ..]; of equal indices the last stays.
Tensor index_copy(const Tensor& x, int axis, const Tensor& indices, const Tensor& updates,
                  SourceLocation where = SourceLocation::current());
/// The slices at the indices are filled with a number.
Tensor index_fill(const Tensor& x, int axis, const Tensor& indices, double value,
                  SourceLocation where = SourceLocation::current());
/// `value` (a number or a scalar tensor) where the mask, which broadcasts to x, holds; else x.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Operand& value,
                   SourceLocation where = SourceLocation::current());

/// Where each value belongs in a sorted last axis: the number (i64) of boundaries that are less than the value, or with
/// `right` less or equal. boundaries [n] or [.., n] with the leading axes of values [.., m]. All are compared with all.
Tensor searchsorted(const Tensor& boundaries, const Tensor& values, bool right = false,
                    SourceLocation where = SourceLocation::current());
/// searchsorted of values of any shape in one vector of boundaries.
Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right = false,
                 SourceLocation where = SourceLocation::current());

}  // namespace pullback
