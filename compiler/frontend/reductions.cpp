// Reductions over axes, and statistics made of them.
#include "compiler/frontend/reductions.h"

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

// The shape with the reduced axes kept as size 1.
static Shape kept_shape(const Tensor& x, const std::vector<int>& axes) {
  Shape shape = x.shape();
  for (int axis : axes) shape[static_cast<std::size_t>(axis)] = Dim(1);
  return shape;
}

static Tensor reduce(const char* op, const char* primitive, const Tensor& x, const Axes& axes, bool keepdim,
                     const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  if (x.dtype() == boolean) detail::fail(op, fmt::format("the operand is {}: cast() it", x.type_string()), line);
  const std::vector<int> reduced = detail::normalize_axes(op, x, axes, line);
  Tensor result = x;
  if (!reduced.empty()) result = x.trace()->create(primitive, {x}, {{"axes", detail::as_integers(reduced)}}, line);
  return keepdim ? reshape(result, kept_shape(x, reduced), where) : result;
}

namespace detail {

Tensor folded_count(const Tensor& x, const std::vector<int>& axes, DType dtype, const SourceLine& line) {
  Dim count(1);
  for (int axis : axes) count = count * x.shape()[static_cast<std::size_t>(axis)];
  if (count.is_constant()) return fill(*x.trace(), dtype, {}, static_cast<double>(count.constant()), line);
  // The sum of `count` ones: folding turns it into a constant once the sizes are known.
  const Tensor ones = fill(*x.trace(), i64, {count}, 1, line);
  return cast(x.trace()->create("reduce_sum", {ones}, {{"axes", ir::Integers{0}}}, line), dtype);
}

Tensor positions_along(const Tensor& x, int axis, DType dtype, const SourceLine& line) {
  Shape shape(x.rank(), Dim(1));
  shape[static_cast<std::size_t>(axis)] = x.size(axis);
  return x.trace()->emit("iota", {}, line, [&](ir::Builder& b, const std::vector<ops::Value>&) {
    return ops::iota(b, dtype, shape, axis);
  });
}

}  // namespace detail

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  return reduce("sum", "reduce_sum", x, axes, keepdim, where);
}
Tensor prod(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  return reduce("prod", "reduce_prod", x, axes, keepdim, where);
}
Tensor max(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  return reduce("max", "reduce_max", x, axes, keepdim, where);
}
Tensor min(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  return reduce("min", "reduce_min", x, axes, keepdim, where);
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  detail::require_defined("mean", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("mean", x, line);
  const std::vector<int> reduced = detail::normalize_axes("mean", x, axes, line);
  return sum(x, reduced, keepdim) / detail::folded_count(x, reduced, x.dtype(), line);
}

static Tensor arg_reduce(const char* op, const Tensor& x, int axis, bool keepdim, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis(op, x, axis, line);
  const Tensor index = x.trace()->create(op, {x}, {{"axis", std::int64_t{axis}}}, line);
  return keepdim ? reshape(index, kept_shape(x, {axis}), where) : index;
}

Tensor argmax(const Tensor& x, int axis, bool keepdim, SourceLocation where) {
  return arg_reduce("argmax", x, axis, keepdim, where);
}
Tensor argmin(const Tensor& x, int axis, bool keepdim, SourceLocation where) {
  return arg_reduce("argmin", x, axis, keepdim, where);
}

Tensor var(const Tensor& x, const Axes& axes, bool keepdim, int correction, SourceLocation where) {
  detail::require_defined("var", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("var", x, line);
  const std::vector<int> reduced = detail::normalize_axes("var", x, axes, line);
  // Two passes: the mean first, so that nothing cancels.
  const Tensor squares = sum(square(x - mean(x, reduced, true)), reduced, keepdim);
  const Tensor count = detail::folded_count(x, reduced, x.dtype(), line);
  return squares / (correction == 0 ? count : count - correction);
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  detail::require_defined("logsumexp", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("logsumexp", x, line);
  const std::vector<int> reduced = detail::normalize_axes("logsumexp", x, axes, line);
  // An infinite maximum is no shift: inf - inf would be NaN.
  const Tensor top = stop_gradient(max(x, reduced, true));
  const Tensor shift = pullback::where(abs(top) <= 1.7976931348623157e308, top, 0.0);
  const Tensor result = log(sum(exp(x - shift), reduced, true)) + shift;
  return keepdim ? result : squeeze(result, Axes(reduced));
}

}  // namespace pullback
