// Functions that rearrange: shapes change, numbers don't.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <pullback/functions.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

static Tensor reshape_to(const Tensor& x, const Shape& shape, const SourceLine& line) {
  if (x.shape() == shape) return x;
  return x.trace()->create("reshape", {x}, {{"shape", shape}}, line);
}

// `shape` with its size -1, if any, replaced by what is left of `elements`.
static Shape completed(const char* op, const Tensor& x, const Dim& elements, const Shape& shape,
                       const SourceLine& line) {
  Shape full = shape;
  const auto inferred = std::find(full.begin(), full.end(), Dim(-1));
  Dim known(1);
  for (auto size = full.begin(); size != full.end(); ++size)
    if (size != inferred) known = known * *size;
  if (inferred != full.end()) {
    if (std::find(inferred + 1, full.end(), Dim(-1)) != full.end())
      fail(op, fmt::format("{} has two sizes -1: one at most can be inferred", to_string(shape)), line);
    const std::optional<Dim> rest = elements.divided_by(known);
    if (!rest) fail(op, fmt::format("{} does not fit {}", x.type_string(), to_string(shape)), line);
    *inferred = *rest;
  } else if (!(known == elements)) {
    fail(op,
         fmt::format("{} has {} elements, {} has {}", x.type_string(), elements.to_string(), to_string(shape),
                     known.to_string()),
         line);
  }
  return full;
}

Tensor reshape(const Tensor& x, const Shape& shape, SourceLocation where) {
  const SourceLine line = detail::line_of("reshape", x, where);
  return reshape_to(x, completed("reshape", x, ir::element_count(x.shape()), shape, line), line);
}

Tensor unflatten(const Tensor& x, int axis, const Shape& sizes, SourceLocation where) {
  const SourceLine line = detail::line_of("unflatten", x, where);
  axis = detail::normalize_axis("unflatten", x, axis, line);
  const Shape parts = completed("unflatten", x, x.size(axis), sizes, line);
  Shape shape(x.shape().begin(), x.shape().begin() + axis);
  shape.insert(shape.end(), parts.begin(), parts.end());
  shape.insert(shape.end(), x.shape().begin() + axis + 1, x.shape().end());
  return reshape_to(x, shape, line);
}

Tensor flatten(const Tensor& x, int first, int last, SourceLocation where) {
  const SourceLine line = detail::line_of("flatten", x, where);
  if (x.rank() == 0) return reshape_to(x, {Dim(1)}, line);
  const int begin = detail::normalize_axis("flatten", x, first, line);
  const int end = detail::normalize_axis("flatten", x, last, line) + 1;
  if (begin >= end)
    fail("flatten", fmt::format("axis {} of {} lies behind axis {}", first, x.type_string(), last), line);
  Shape shape(x.shape().begin(), x.shape().begin() + begin);
  shape.push_back(ir::element_count(Shape(x.shape().begin() + begin, x.shape().begin() + end)));
  shape.insert(shape.end(), x.shape().begin() + end, x.shape().end());
  return reshape_to(x, shape, line);
}

static Tensor permuted(const Tensor& x, const std::vector<int>& order, const SourceLine& line) {
  if (std::is_sorted(order.begin(), order.end())) return x;
  return x.trace()->create("transpose", {x}, {{"permutation", detail::as_integers(order)}}, line);
}

Tensor transpose(const Tensor& x, int a, int b, SourceLocation where) {
  const SourceLine line = detail::line_of("transpose", x, where);
  std::vector<int> order(x.rank());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(detail::normalize_axis("transpose", x, a, line))],
            order[static_cast<std::size_t>(detail::normalize_axis("transpose", x, b, line))]);
  return permuted(x, order, line);
}

Tensor permute(const Tensor& x, const Axes& order, SourceLocation where) {
  const SourceLine line = detail::line_of("permute", x, where);
  if (order.values().size() != x.rank())
    fail("permute", fmt::format("{} axes are given for {}", order.values().size(), x.type_string()), line);
  std::vector<int> axes;
  for (int axis : order.values()) axes.push_back(detail::normalize_axis("permute", x, axis, line));
  detail::normalize_axes("permute", x, Axes(axes), line);  // throws when one is given twice
  return permuted(x, axes, line);
}

Tensor movedim(const Tensor& x, const Axes& from, const Axes& to, SourceLocation where) {
  const SourceLine line = detail::line_of("movedim", x, where);
  if (from.values().size() != to.values().size())
    fail("movedim", fmt::format("{} axes move to {} places", from.values().size(), to.values().size()), line);
  if (from.empty()) return x;
  const std::vector<int> moved = detail::normalize_axes("movedim", x, from, line);  // throws when one is given twice
  detail::normalize_axes("movedim", x, to, line);
  std::vector<int> order(x.rank(), -1);
  for (std::size_t i = 0; i < from.values().size(); ++i)
    order[static_cast<std::size_t>(detail::normalize_axis("movedim", x, to.values()[i], line))] =
        detail::normalize_axis("movedim", x, from.values()[i], line);
  int next = 0;
  for (int& axis : order) {
    if (axis >= 0) continue;
    while (std::find(moved.begin(), moved.end(), next) != moved.end()) ++next;
    axis = next++;
  }
  return permuted(x, order, line);
}

Tensor squeeze(const Tensor& x, const Axes& axes, SourceLocation where) {
  const SourceLine line = detail::line_of("squeeze", x, where);
  const std::vector<int> chosen = detail::normalize_axes("squeeze", x, axes, line);
  Shape shape;
  for (int axis = 0; axis < static_cast<int>(x.rank()); ++axis) {
    const Dim& size = x.shape()[static_cast<std::size_t>(axis)];
    const bool named = std::find(chosen.begin(), chosen.end(), axis) != chosen.end();
    if (named && !axes.empty() && !(size == Dim(1)))
      fail("squeeze", fmt::format("axis {} of {} has size {}, not 1", axis, x.type_string(), size.to_string()), line);
    if (!named || !(size == Dim(1))) shape.push_back(size);
  }
  return reshape_to(x, shape, line);
}

Tensor unsqueeze(const Tensor& x, int axis, SourceLocation where) {
  const SourceLine line = detail::line_of("unsqueeze", x, where);
  const int rank = static_cast<int>(x.rank()) + 1;
  if (axis < -rank || axis >= rank)
    fail("unsqueeze", fmt::format("there is no place {} for an axis in {}", axis, x.type_string()), line);
  Shape shape = x.shape();
  shape.insert(shape.begin() + (axis < 0 ? axis + rank : axis), Dim(1));
  return reshape_to(x, shape, line);
}

Tensor expand(const Tensor& x, const Shape& shape, SourceLocation where) {
  const SourceLine line = detail::line_of("expand", x, where);
  if (shape.size() < x.rank())
    fail("expand", fmt::format("{} has more axes than {}", x.type_string(), to_string(shape)), line);
  Shape full = shape;
  const std::size_t offset = full.size() - x.rank();
  for (std::size_t i = 0; i < full.size(); ++i) {
    if (full[i] == Dim(-1)) {
      if (i < offset) fail("expand", fmt::format("size -1 of {} is a new axis", to_string(shape)), line);
      full[i] = x.shape()[i - offset];
    }
    if (i >= offset && !(x.shape()[i - offset] == full[i]) && !(x.shape()[i - offset] == Dim(1)))
      fail("expand",
           fmt::format("{} to {}: size {} can't become {}", x.type_string(), to_string(shape),
                       x.shape()[i - offset].to_string(), full[i].to_string()),
           line);
  }
  return detail::broadcast_to(x, full, line);
}

Tensor flip(const Tensor& x, const Axes& axes, SourceLocation where) {
  const SourceLine line = detail::line_of("flip", x, where);
  const std::vector<int> chosen = detail::normalize_axes("flip", x, axes, line);
  return x.trace()->emit("flip", {x}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::reverse(v[0], detail::as_integers(chosen));
  });
}

Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const Axes& axes, SourceLocation where) {
  detail::require_defined("roll", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  if (shifts.size() != axes.values().size())
    fail("roll", fmt::format("{} shifts are given for {} axes", shifts.size(), axes.values().size()), line);
  Tensor result = x;
  for (std::size_t i = 0; i < shifts.size(); ++i) {
    const int axis = detail::normalize_axis("roll", x, axes.values()[i], line);
    const Dim& size = x.shape()[static_cast<std::size_t>(axis)];
    std::int64_t shift = shifts[i];
    if (size.is_constant()) {
      if (size.constant() == 0) continue;
      shift = (shift % size.constant() + size.constant()) % size.constant();
    }
    if (shift == 0) continue;
    // A symbolic size is at least |shift|, or specialization says so.
    std::vector<Range> head(static_cast<std::size_t>(axis) + 1), rest = head;
    head.back().start = -shift;
    rest.back().limit = -shift;
    result = concat({slice(result, head), slice(result, rest)}, axis);
  }
  return result;
}

Tensor rot90(const Tensor& x, int times, int a, int b, SourceLocation where) {
  const SourceLine line = detail::line_of("rot90", x, where);
  detail::Pin pin(x, where);
  a = detail::normalize_axis("rot90", x, a, line);
  b = detail::normalize_axis("rot90", x, b, line);
  if (a == b) fail("rot90", fmt::format("axis {} of {} is given twice", a, x.type_string()), line);
  switch ((times % 4 + 4) % 4) {
    case 1:
      return transpose(flip(x, b), a, b);
    case 2:
      return flip(x, {a, b});
    case 3:
      return transpose(flip(x, a), a, b);
    default:
      return x;
  }
}

}  // namespace pullback
