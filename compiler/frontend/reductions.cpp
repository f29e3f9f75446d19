// Reductions over axes, and statistics made of them.
#include "compiler/frontend/reductions.h"

#include <algorithm>

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

static Tensor kept_extremum(const char* primitive, const Tensor& x, const std::vector<int>& axes,
                            const SourceLine& line) {
  if (axes.empty()) return x;
  const Tensor folded = x.trace()->create(primitive, {x}, {{"axes", as_integers(axes)}}, line);
  return x.trace()->create("reshape", {folded}, {{"shape", kept_shape(x, axes)}}, line);
}

Tensor largest(const Tensor& x, const std::vector<int>& axes, const SourceLine& line) {
  return kept_extremum("reduce_max", x, axes, line);
}

Tensor smallest(const Tensor& x, const std::vector<int>& axes, const SourceLine& line) {
  return kept_extremum("reduce_min", x, axes, line);
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

// The extremum of nothing is no number; where there is no place for a result it does not matter.
static void require_elements(const char* op, const Tensor& x, const Axes& axes, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  bool nothing = false, somewhere = true;
  const std::vector<int> reduced = detail::normalize_axes(op, x, axes, line);
  for (int axis = 0; axis < static_cast<int>(x.rank()); ++axis) {
    const bool folded = std::binary_search(reduced.begin(), reduced.end(), axis);
    const bool empty = x.size(axis) == Dim(0);
    nothing = nothing || (folded && empty);
    somewhere = somewhere && (folded || !empty);
  }
  if (nothing && somewhere)
    detail::fail(op, fmt::format("the operand is {}: there is no element to choose from", x.type_string()), line);
}

Tensor max(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  require_elements("max", x, axes, where);
  return reduce("max", "reduce_max", x, axes, keepdim, where);
}
Tensor min(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  require_elements("min", x, axes, where);
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
  require_elements(op, x, axis, where);
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

// The element at the index is picked by comparison: it fuses, and its gradient is no scatter.
static Indexed pick(const Tensor& x, int axis, const Tensor& index, bool keepdim, const SourceLine& line) {
  const Tensor chosen = equal(index, detail::positions_along(x, axis, i64, line));
  const Tensor values = sum(where(chosen, x, 0), axis, keepdim);
  return {values, keepdim ? index : squeeze(index, axis)};
}

Indexed max_with_index(const Tensor& x, int axis, bool keepdim, SourceLocation where) {
  require_elements("max_with_index", x, axis, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("max_with_index", x, axis, line);
  return pick(x, axis, argmax(x, axis, true), keepdim, line);
}

Indexed min_with_index(const Tensor& x, int axis, bool keepdim, SourceLocation where) {
  require_elements("min_with_index", x, axis, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("min_with_index", x, axis, line);
  return pick(x, axis, argmin(x, axis, true), keepdim, line);
}

VarMean var_mean(const Tensor& x, const Axes& axes, bool keepdim, int correction, SourceLocation where) {
  detail::require_defined("var", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("var", x, line);
  const std::vector<int> reduced = detail::normalize_axes("var", x, axes, line);
  // Two passes: the mean first, so that nothing cancels.
  const Tensor center = mean(x, reduced, true);
  const Tensor squares = sum(square(x - center), reduced, keepdim);
  const Tensor count = detail::folded_count(x, reduced, x.dtype(), line);
  const Tensor freedom = correction == 0 ? count : maximum(count - correction, 0.0);
  return {squares / freedom, keepdim ? center : reshape(center, squares.shape())};
}

Tensor var(const Tensor& x, const Axes& axes, bool keepdim, int correction, SourceLocation where) {
  return var_mean(x, axes, keepdim, correction, where).var;
}

Tensor stddev(const Tensor& x, const Axes& axes, bool keepdim, int correction, SourceLocation where) {
  detail::require_defined("stddev", x, where);
  detail::Pin pin(x, where);
  const Tensor variance = var(x, axes, keepdim, correction);
  const Tensor zero = equal(variance, 0.0);  // the root's slope is infinite there
  return pullback::where(zero, 0.0, sqrt(pullback::where(zero, 1.0, variance)));
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  detail::require_defined("logsumexp", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("logsumexp", x, line);
  const std::vector<int> reduced = detail::normalize_axes("logsumexp", x, axes, line);
  // An infinite maximum is no shift: inf - inf would be NaN.
  const Tensor top = stop_gradient(detail::largest(x, reduced, line));
  const Tensor shift = pullback::where(isfinite(top), top, 0.0);
  const Tensor result = log(sum(exp(x - shift), reduced, true)) + shift;
  return keepdim ? result : squeeze(result, Axes(reduced));
}

// As i32, which extrema are taken of.
static Tensor truth(const char* op, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  return cast(x.dtype() == boolean ? x : not_equal(x, 0, where), i32, where);
}

Tensor any(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  // Of no elements the largest is the smallest integer, which is not positive.
  return greater(reduce("any", "reduce_max", truth("any", x, where), axes, keepdim, where), 0, where);
}

Tensor all(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  return greater(reduce("all", "reduce_min", truth("all", x, where), axes, keepdim, where), 0, where);
}

Tensor count_nonzero(const Tensor& x, const Axes& axes, bool keepdim, SourceLocation where) {
  return reduce("count_nonzero", "reduce_sum", cast(truth("count_nonzero", x, where), i64, where), axes, keepdim,
                where);
}

}  // namespace pullback
