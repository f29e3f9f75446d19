// Parts of tensors: slices with known bounds, and elements at indices that are tensors themselves.
#include "compiler/frontend/indexing.h"

#include <algorithm>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

static Tensor slice_to(const Tensor& x, const Shape& start, const Shape& limit, const ir::Integers& step,
                       const SourceLine& line) {
  if (limit == x.shape() && start == Shape(x.rank(), Dim(0)) && step == ir::Integers(x.rank(), 1)) return x;
  return x.trace()->emit("slice", {x}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::slice(v[0], start, limit, step);
  });
}

// A bound of a range as a place on the axis: negative ones count from the end. Symbolic sizes are checked when they get
// their numbers.
static Dim bound(const char* op, const Tensor& x, std::size_t axis, std::int64_t value, const SourceLine& line) {
  const Dim& size = x.shape()[axis];
  const Dim result = value < 0 ? size + Dim(value) : Dim(value);
  if (size.is_constant() && (result.constant() < 0 || result.constant() > size.constant()))
    fail(op, fmt::format("{} lies outside axis {} of {}", value, axis, x.type_string()), line);
  return result;
}

// The range of a reversed axis that a range with a negative step is: element i of x is element size - 1 - i there.
static Range mirrored(const Tensor& x, std::size_t axis, const Range& range, const SourceLine& line) {
  const Dim& size = x.shape()[axis];
  if (!size.is_constant())
    fail("slice", fmt::format("axis {} of {} needs a known size for the step {}", axis, x.type_string(), range.step),
         line);
  const std::int64_t n = size.constant();
  const auto place = [&](std::int64_t value) { return n - 1 - (value < 0 ? value + n : value); };
  const std::int64_t start = range.start ? place(*range.start) : 0;
  // -n-1 is the place before the first element, which no other number names.
  const std::int64_t limit = !range.limit || *range.limit == -n - 1 ? n : place(*range.limit);
  if ((n > 0 && (start < 0 || start >= n)) || limit < 0 || limit > n)
    fail("slice",
         fmt::format("the range from {} to {} with step {} lies outside axis {} of {}", range.start.value_or(n - 1),
                     range.limit.value_or(-n - 1), range.step, axis, x.type_string()),
         line);
  return {start, std::max(start, limit), -range.step};
}

Tensor slice(const Tensor& x, const std::vector<Range>& ranges, SourceLocation where) {
  detail::require_defined("slice", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  if (ranges.size() > x.rank())
    fail("slice", fmt::format("{} ranges are given for {}", ranges.size(), x.type_string()), line);
  Shape start(x.rank(), Dim(0)), limit = x.shape();
  ir::Integers step(x.rank(), 1);
  std::vector<int> backwards;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].step == 0) fail("slice", fmt::format("the step of axis {} is 0", i), line);
    const Range range = ranges[i].step < 0 ? mirrored(x, i, ranges[i], line) : ranges[i];
    if (ranges[i].step < 0) backwards.push_back(static_cast<int>(i));
    if (range.start) start[i] = bound("slice", x, i, *range.start, line);
    if (range.limit) limit[i] = bound("slice", x, i, *range.limit, line);
    step[i] = range.step;
    if (start[i].is_constant() && limit[i].is_constant() && start[i].constant() > limit[i].constant())
      fail("slice",
           fmt::format("axis {} of {} from {} to {}: the end lies before the start", i, x.type_string(),
                       start[i].constant(), limit[i].constant()),
           line);
  }
  return slice_to(backwards.empty() ? x : flip(x, backwards), start, limit, step, line);
}

Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length, SourceLocation where) {
  detail::require_defined("narrow", x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("narrow", x, axis, line);
  const auto place = static_cast<std::size_t>(axis);
  const Dim& size = x.shape()[place];
  const auto refuse = [&] {
    fail("narrow", fmt::format("{} elements from {} lie outside axis {} of {}", length, start, axis, x.type_string()),
         line);
  };
  std::int64_t end = 0;
  if (length < 0 || __builtin_add_overflow(start, length, &end)) refuse();
  Shape begin(x.rank(), Dim(0)), limit = x.shape();
  begin[place] = start < 0 ? size + Dim(start) : Dim(start);
  limit[place] = begin[place] + Dim(length);
  if ((begin[place].is_constant() && begin[place].constant() < 0) ||
      (size.is_constant() && limit[place].constant() > size.constant()))
    refuse();
  return slice_to(x, begin, limit, ir::Integers(x.rank(), 1), line);
}

Tensor select(const Tensor& x, int axis, std::int64_t index, SourceLocation where) {
  detail::require_defined("select", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("select", x, axis, line);
  const Dim size = x.size(axis);
  if (size.is_constant() && (index < -size.constant() || index >= size.constant()))
    fail("select", fmt::format("there is no element {} in axis {} of {}", index, axis, x.type_string()), line);
  return squeeze(narrow(x, axis, index, 1), axis);
}

namespace detail {

void require_index(const char* op, const Tensor& indices, const SourceLine& line) {
  if (indices.dtype() != i32 && indices.dtype() != i64)
    fail(op, fmt::format("indices are {}: i32 or i64 is needed; cast() them", indices.type_string()), line);
}

// The size of an axis as an i64 scalar: a constant, or the sum of as many ones until specialization.
static Tensor size_of_axis(const Tensor& x, int axis, DType dtype) {
  const Dim size = x.size(axis);
  const SourceLine line = x.trace()->line(SourceLocation::current());  // pinned by the caller
  if (size.is_constant()) return fill(*x.trace(), dtype, {}, static_cast<double>(size.constant()), line);
  return sum(fill(*x.trace(), dtype, {size}, 1, line));
}

void check_indices(const char* op, const Tensor& indices, const Tensor& x, int axis, const SourceLocation& where) {
  Pin pin(indices, where);
  const Tensor low = min(indices), high = max(indices), size = size_of_axis(x, axis, indices.dtype());
  const std::string name = indices.name().empty() ? "" : " of " + indices.name();
  check((low >= 0) & (high < size),
        fmt::format("{}: indices{} lie in {{}}..{{}}, but axis {} of {} has indices 0..{{}}", op, name, axis,
                    x.name().empty() ? x.type_string() : x.name() + " " + x.type_string()),
        {low, high, size - 1});
}

Tensor gather_unchecked(const Tensor& x, const Tensor& indices, int axis) {
  // The axis goes last, so that all others are batch axes that x and indices have in common.
  const int last = static_cast<int>(x.rank()) - 1;
  const Tensor rows = transpose(x, axis, last), picks = transpose(indices, axis, last);
  const Tensor result = x.trace()->emit(
      "gather", {rows, picks}, x.trace()->line(SourceLocation::current()),
      [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::gather(v[0], v[1], last, last); });
  return transpose(result, axis, last);
}

Tensor cut_beside(const char* op, const Tensor& x, const Shape& shape, int axis, const SourceLine& line) {
  std::vector<Range> ranges(x.rank());
  bool fits = x.rank() == shape.size();
  for (std::size_t i = 0; fits && i < x.rank(); ++i) {
    if (static_cast<int>(i) == axis || x.shape()[i] == shape[i]) continue;
    fits = x.shape()[i].is_constant() && shape[i].is_constant() && shape[i].constant() <= x.shape()[i].constant();
    if (fits) ranges[i].limit = shape[i].constant();
  }
  if (!fits) fail(op, fmt::format("{} and {} don't fit beside axis {}", x.type_string(), to_string(shape), axis), line);
  return slice(x, ranges);
}

}  // namespace detail

Tensor take(const Tensor& x, const Tensor& indices, int axis, SourceLocation where) {
  detail::require_defined("take", x, where);
  detail::require_defined("take", indices, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_index("take", indices, line);
  axis = detail::normalize_axis("take", x, axis, line);
  detail::check_indices("take", indices, x, axis, where);
  return x.trace()->emit("take", {x, indices}, line,
                         [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::gather(v[0], v[1], axis); });
}

Tensor index_select(const Tensor& x, int axis, const Tensor& indices, SourceLocation where) {
  detail::require_defined("index_select", x, where);
  detail::require_defined("index_select", indices, where);
  if (indices.rank() != 1)
    fail("index_select", fmt::format("indices are {}: a vector is needed; see take()", indices.type_string()),
         x.trace()->line(where));
  return take(x, indices, axis, where);
}

Tensor gather(const Tensor& x, int axis, const Tensor& indices, SourceLocation where) {
  detail::require_defined("gather", x, where);
  detail::require_defined("gather", indices, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_index("gather", indices, line);
  axis = detail::normalize_axis("gather", x, axis, line);
  const Tensor rows = detail::cut_beside("gather", x, indices.shape(), axis, line);
  detail::check_indices("gather", indices, x, axis, where);
  return detail::gather_unchecked(rows, indices, axis);
}

Tensor take_along(const Tensor& x, const Tensor& indices, int axis, SourceLocation where) {
  detail::require_defined("take_along", x, where);
  detail::require_defined("take_along", indices, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_index("take_along", indices, line);
  axis = detail::normalize_axis("take_along", x, axis, line);
  const std::string operands = x.type_string() + " and indices " + indices.type_string();
  if (indices.rank() != x.rank()) fail("take_along", operands + " differ in rank", line);
  detail::check_indices("take_along", indices, x, axis, where);
  // Both broadcast to one shape, but each keeps its own size of the axis.
  Shape source = x.shape(), picks = indices.shape();
  source[static_cast<std::size_t>(axis)] = picks[static_cast<std::size_t>(axis)] = Dim(1);
  source = picks = detail::broadcast_shapes("take_along", {source, picks}, operands, line);
  source[static_cast<std::size_t>(axis)] = x.size(axis);
  picks[static_cast<std::size_t>(axis)] = indices.size(axis);
  return detail::gather_unchecked(detail::broadcast_to(x, source, line), detail::broadcast_to(indices, picks, line),
                                  axis);
}

Tensor embedding(const Tensor& table, const Tensor& ids, std::optional<std::int64_t> padding_idx,
                 SourceLocation where) {
  detail::require_defined("embedding", table, where);
  detail::Pin pin(table, where);
  const SourceLine line = table.trace()->line(where);
  if (table.rank() != 2)
    fail("embedding", fmt::format("the table is {}: [n,size] is needed", table.type_string()), line);
  const Tensor rows = take(table, ids, 0);
  if (!padding_idx) return rows;
  const Dim entries = table.size(0);
  std::int64_t padding = *padding_idx;
  if (!entries.is_constant() || padding < -entries.constant() || padding >= entries.constant())
    fail("embedding", fmt::format("padding_idx {} is no row of the table, {}", padding, table.type_string()), line);
  if (padding < 0) padding += entries.constant();
  return pullback::where(unsqueeze(equal(ids, padding), -1), stop_gradient(rows), rows);
}

Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype, SourceLocation where) {
  detail::require_defined("one_hot", ids, where);
  detail::Pin pin(ids, where);
  const SourceLine line = ids.trace()->line(where);
  detail::require_index("one_hot", ids, line);
  if (classes < 1) fail("one_hot", fmt::format("{} classes are no classes", classes), line);
  const Tensor numbers = ids.trace()->emit("one_hot", {}, line, [&](ir::Builder& b, const std::vector<ops::Value>&) {
    return ops::iota(b, ids.dtype(), {Dim(classes)}, 0);
  });
  return cast(equal(unsqueeze(ids, -1), numbers), dtype);
}

Tensor searchsorted(const Tensor& boundaries, const Tensor& values, bool right, SourceLocation where) {
  detail::require_defined("searchsorted", boundaries, where);
  detail::require_defined("searchsorted", values, where);
  detail::Pin pin(boundaries, where);
  const SourceLine line = boundaries.trace()->line(where);
  if (boundaries.rank() == 0) fail("searchsorted", "the boundaries are a scalar", line);
  bool fits = boundaries.rank() == 1 || boundaries.rank() == values.rank();
  for (std::size_t i = 0; fits && i + 1 < boundaries.rank(); ++i) fits = boundaries.shape()[i] == values.shape()[i];
  if (!fits)
    fail("searchsorted",
         fmt::format("boundaries {} and values {} differ before the last axis", boundaries.type_string(),
                     values.type_string()),
         line);
  const Tensor rows = boundaries.rank() == 1 ? boundaries : unsqueeze(boundaries, -2);
  const Tensor columns = unsqueeze(values, -1);
  return sum(cast(right ? rows <= columns : rows < columns, i64), -1);
}

Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right, SourceLocation where) {
  detail::require_defined("bucketize", boundaries, where);
  if (boundaries.rank() != 1)
    fail("bucketize", fmt::format("the boundaries are {}: a vector is needed", boundaries.type_string()),
         boundaries.trace()->line(where));
  return searchsorted(boundaries, values, right, where);
}

}  // namespace pullback
