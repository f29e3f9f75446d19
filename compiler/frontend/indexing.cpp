// Parts of tensors: slices with known bounds, and elements at indices that are tensors themselves.
#include "compiler/frontend/indexing.h"

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

// A bound of a range: negative ones count from the end. Symbolic sizes are checked when they get their numbers.
static Dim bound(const Tensor& x, std::size_t axis, std::int64_t value, const SourceLine& line) {
  const Dim& size = x.shape()[axis];
  const Dim result = value < 0 ? size + Dim(value) : Dim(value);
  if (size.is_constant() && (result.constant() < 0 || result.constant() > size.constant()))
    fail("slice", fmt::format("{} lies outside axis {} of {}", value, axis, x.type_string()), line);
  return result;
}

Tensor slice(const Tensor& x, const std::vector<Range>& ranges, SourceLocation where) {
  detail::require_defined("slice", x, where);
  const SourceLine line = x.trace()->line(where);
  if (ranges.size() > x.rank())
    fail("slice", fmt::format("{} ranges are given for {}", ranges.size(), x.type_string()), line);
  Shape start(x.rank(), Dim(0)), limit = x.shape();
  ir::Integers step(x.rank(), 1);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].step < 1) fail("slice", fmt::format("the step {} is below 1; see flip()", ranges[i].step), line);
    start[i] = bound(x, i, ranges[i].start, line);
    if (ranges[i].limit) limit[i] = bound(x, i, *ranges[i].limit, line);
    step[i] = ranges[i].step;
    if (start[i].is_constant() && limit[i].is_constant() && start[i].constant() > limit[i].constant())
      fail("slice",
           fmt::format("axis {} of {} from {} to {}: the end lies before the start", i, x.type_string(),
                       start[i].constant(), limit[i].constant()),
           line);
  }
  return slice_to(x, start, limit, step, line);
}

Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length, SourceLocation where) {
  detail::require_defined("narrow", x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("narrow", x, axis, line);
  const Dim& size = x.shape()[static_cast<std::size_t>(axis)];
  if (start < 0 || length < 0 || (size.is_constant() && start + length > size.constant()))
    fail("narrow", fmt::format("{} elements from {} lie outside axis {} of {}", length, start, axis, x.type_string()),
         line);
  Shape begin(x.rank(), Dim(0)), limit = x.shape();
  begin[static_cast<std::size_t>(axis)] = Dim(start);
  limit[static_cast<std::size_t>(axis)] = Dim(start + length);
  return slice_to(x, begin, limit, ir::Integers(x.rank(), 1), line);
}

static void require_index(const char* op, const Tensor& indices, const SourceLine& line) {
  if (indices.dtype() != i32 && indices.dtype() != i64)
    fail(op, fmt::format("indices are {}: i32 or i64 is needed; cast() them", indices.type_string()), line);
}

namespace detail {

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

}  // namespace detail

Tensor take(const Tensor& x, const Tensor& indices, int axis, SourceLocation where) {
  detail::require_defined("take", x, where);
  detail::require_defined("take", indices, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  require_index("take", indices, line);
  axis = detail::normalize_axis("take", x, axis, line);
  detail::check_indices("take", indices, x, axis, where);
  return x.trace()->emit("take", {x, indices}, line,
                         [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::gather(v[0], v[1], axis); });
}

Tensor take_along(const Tensor& x, const Tensor& indices, int axis, SourceLocation where) {
  detail::require_defined("take_along", x, where);
  detail::require_defined("take_along", indices, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  require_index("take_along", indices, line);
  axis = detail::normalize_axis("take_along", x, axis, line);
  bool fits = indices.rank() == x.rank();
  for (std::size_t i = 0; fits && i < x.rank(); ++i)
    fits = static_cast<int>(i) == axis || indices.shape()[i] == x.shape()[i];
  if (!fits)
    fail("take_along",
         fmt::format("{} and indices {} differ beside axis {}", x.type_string(), indices.type_string(), axis), line);
  detail::check_indices("take_along", indices, x, axis, where);
  // The axis goes last, so that all others are batch axes that x and indices have in common.
  const int last = static_cast<int>(x.rank()) - 1;
  const Tensor rows = transpose(x, axis, last), picks = transpose(indices, axis, last);
  const Tensor result = x.trace()->emit(
      "take_along", {rows, picks}, line,
      [&](ir::Builder&, const std::vector<ops::Value>& v) { return ops::gather(v[0], v[1], last, last); });
  return transpose(result, axis, last);
}

Tensor embedding(const Tensor& table, const Tensor& ids, SourceLocation where) {
  detail::require_defined("embedding", table, where);
  if (table.rank() != 2)
    fail("embedding", fmt::format("the table is {}: [n,size] is needed", table.type_string()),
         table.trace()->line(where));
  return take(table, ids, 0, where);
}

Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype, SourceLocation where) {
  detail::require_defined("one_hot", ids, where);
  detail::Pin pin(ids, where);
  const SourceLine line = ids.trace()->line(where);
  require_index("one_hot", ids, line);
  if (classes < 1) fail("one_hot", fmt::format("{} classes are no classes", classes), line);
  const Tensor numbers = ids.trace()->emit("one_hot", {}, line, [&](ir::Builder& b, const std::vector<ops::Value>&) {
    return ops::iota(b, ids.dtype(), {Dim(classes)}, 0);
  });
  return cast(equal(unsqueeze(ids, -1), numbers), dtype);
}

}  // namespace pullback
