// Parts of tensors: slices with known bounds, and elements at indices that are tensors themselves.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// Part of an axis: start, start+step, ... below limit. Negative start and limit count from the end.
struct Range {
  std::int64_t start = 0;
  std::optional<std::int64_t> limit;  ///< nothing: to the end
  std::int64_t step = 1;              ///< at least 1
};
/// One range for each of the leading axes; {} takes the whole axis.
Tensor slice(const Tensor& x, const std::vector<Range>& ranges, SourceLocation where = SourceLocation::current());
/// `length` elements of `axis` from `start` on.
Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length,
              SourceLocation where = SourceLocation::current());
// --- Indexing. An index out of range fails the run with an Error before any state is written ---
/// Slices of x along `axis`: indices [I...], x [.., n, ..] -> [.., I..., ..].
Tensor take(const Tensor& x, const Tensor& indices, int axis = 0, SourceLocation where = SourceLocation::current());
/// result[.., i, ..] = x[.., indices[.., i, ..], ..]; indices have x's shape but for `axis`.
Tensor take_along(const Tensor& x, const Tensor& indices, int axis, SourceLocation where = SourceLocation::current());
/// Rows of a table: table [n,D], ids [I...] -> [I...,D].
Tensor embedding(const Tensor& table, const Tensor& ids, SourceLocation where = SourceLocation::current());
/// ids [I...] -> [I...,classes]: 1 at the index, 0 elsewhere; a row of zeros for an index out of range.
Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype = f32,
               SourceLocation where = SourceLocation::current());

}  // namespace pullback
