// Functions that rearrange: shapes change, numbers don't.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <pullback/functions.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

static SourceLine line_of(const char* op, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  return x.trace()->line(where);
}

static Tensor reshape_to(const Tensor& x, const Shape& shape, const SourceLine& line) {
  if (x.shape() == shape) return x;
  return x.trace()->create("reshape", {x}, {{"shape", shape}}, line);
}

Tensor reshape(const Tensor& x, const Shape& shape, SourceLocation where) {
  const SourceLine line = line_of("reshape", x, where);
  Shape full = shape;
  const auto inferred = std::find(full.begin(), full.end(), Dim(-1));
  Dim known(1);
  for (auto size = full.begin(); size != full.end(); ++size)
    if (size != inferred) known = known * *size;
  const Dim elements = ir::element_count(x.shape());
  if (inferred != full.end()) {
    if (std::find(inferred + 1, full.end(), Dim(-1)) != full.end())
      fail("reshape", fmt::format("{} has two sizes -1: one at most can be inferred", to_string(shape)), line);
    const std::optional<Dim> rest = elements.divided_by(known);
    if (!rest) fail("reshape", fmt::format("{} does not fit {}", x.type_string(), to_string(shape)), line);
    *inferred = *rest;
  } else if (!(known == elements)) {
    fail("reshape",
         fmt::format("{} has {} elements, {} has {}", x.type_string(), elements.to_string(), to_string(shape),
                     known.to_string()),
         line);
  }
  return reshape_to(x, full, line);
}

Tensor flatten(const Tensor& x, int first, SourceLocation where) {
  const SourceLine line = line_of("flatten", x, where);
  const int axis = detail::normalize_axis("flatten", x, first, line);
  Shape shape(x.shape().begin(), x.shape().begin() + axis);
  shape.push_back(ir::element_count(Shape(x.shape().begin() + axis, x.shape().end())));
  return reshape_to(x, shape, line);
}

static Tensor permuted(const Tensor& x, const std::vector<int>& order, const SourceLine& line) {
  if (std::is_sorted(order.begin(), order.end())) return x;
  return x.trace()->create("transpose", {x}, {{"permutation", detail::as_integers(order)}}, line);
}

Tensor transpose(const Tensor& x, int a, int b, SourceLocation where) {
  const SourceLine line = line_of("transpose", x, where);
  std::vector<int> order(x.rank());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(detail::normalize_axis("transpose", x, a, line))],
            order[static_cast<std::size_t>(detail::normalize_axis("transpose", x, b, line))]);
  return permuted(x, order, line);
}

Tensor permute(const Tensor& x, const Axes& order, SourceLocation where) {
  const SourceLine line = line_of("permute", x, where);
  if (order.values().size() != x.rank())
    fail("permute", fmt::format("{} axes are given for {}", order.values().size(), x.type_string()), line);
  std::vector<int> axes;
  for (int axis : order.values()) axes.push_back(detail::normalize_axis("permute", x, axis, line));
  detail::normalize_axes("permute", x, Axes(axes), line);  // throws when one is given twice
  return permuted(x, axes, line);
}

Tensor squeeze(const Tensor& x, const Axes& axes, SourceLocation where) {
  const SourceLine line = line_of("squeeze", x, where);
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
  const SourceLine line = line_of("unsqueeze", x, where);
  const int rank = static_cast<int>(x.rank()) + 1;
  if (axis < -rank || axis >= rank)
    fail("unsqueeze", fmt::format("there is no place {} for an axis in {}", axis, x.type_string()), line);
  Shape shape = x.shape();
  shape.insert(shape.begin() + (axis < 0 ? axis + rank : axis), Dim(1));
  return reshape_to(x, shape, line);
}

Tensor expand(const Tensor& x, const Shape& shape, SourceLocation where) {
  const SourceLine line = line_of("expand", x, where);
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

Tensor concat(const std::vector<Tensor>& parts, int axis, SourceLocation where) {
  if (parts.empty()) fail("concat", "there are no tensors to join", where);
  const SourceLine line = line_of("concat", parts.front(), where);
  axis = detail::normalize_axis("concat", parts.front(), axis, line);
  for (const Tensor& part : parts) {
    detail::require_defined("concat", part, where);
    bool fits = part.dtype() == parts.front().dtype() && part.rank() == parts.front().rank();
    for (std::size_t i = 0; fits && i < part.rank(); ++i)
      fits = static_cast<int>(i) == axis || part.shape()[i] == parts.front().shape()[i];
    if (!fits)
      fail("concat",
           fmt::format("{} and {} differ beside axis {}", parts.front().type_string(), part.type_string(), axis), line);
  }
  if (parts.size() == 1) return parts.front();
  return parts.front().trace()->create("concatenate", parts, {{"axis", std::int64_t{axis}}}, line);
}

Tensor stack(const std::vector<Tensor>& parts, int axis, SourceLocation where) {
  if (parts.empty()) fail("stack", "there are no tensors to join", where);
  detail::require_defined("stack", parts.front(), where);
  detail::Pin pin(parts.front(), where);
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) {
    detail::require_defined("stack", part, where);
    if (part.shape() != parts.front().shape() || part.dtype() != parts.front().dtype())
      fail("stack", fmt::format("{} and {} differ", parts.front().type_string(), part.type_string()),
           parts.front().trace()->line(where));
    rows.push_back(unsqueeze(part, axis));
  }
  return concat(rows, axis < 0 ? axis + static_cast<int>(rows.front().rank()) : axis);
}

Tensor flip(const Tensor& x, const Axes& axes, SourceLocation where) {
  const SourceLine line = line_of("flip", x, where);
  const std::vector<int> chosen = detail::normalize_axes("flip", x, axes, line);
  return x.trace()->emit("flip", {x}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::reverse(v[0], detail::as_integers(chosen));
  });
}

}  // namespace pullback
