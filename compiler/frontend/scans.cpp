// Running folds along an axis.
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

static Tensor fold(const char* op, const char* primitive, const Tensor& x, int axis, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis(op, x, axis, line);
  return x.trace()->create(primitive, {x.dtype() == boolean ? cast(x, i64) : x},
                           {{"axis", std::int64_t{axis}}, {"reverse", false}, {"exclusive", false}}, line);
}

Tensor cumsum(const Tensor& x, int axis, SourceLocation where) {
  return fold("cumsum", "cumulative_sum", x, axis, where);
}

Tensor cumprod(const Tensor& x, int axis, SourceLocation where) {
  return fold("cumprod", "cumulative_prod", x, axis, where);
}

static ValuesAndIndices extremum(const char* op, const char* primitive, const Tensor& x, int axis,
                                 const SourceLocation& where) {
  detail::require_defined(op, x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis(op, x, axis, line);
  const std::vector<Tensor> results =
      x.trace()->create_all(primitive, {x}, {{"axis", std::int64_t{axis}}, {"reverse", false}}, line);
  return {results[0], results[1]};
}

ValuesAndIndices cummax(const Tensor& x, int axis, SourceLocation where) {
  return extremum("cummax", "cumulative_max", x, axis, where);
}

ValuesAndIndices cummin(const Tensor& x, int axis, SourceLocation where) {
  return extremum("cummin", "cumulative_min", x, axis, where);
}

Tensor linear_recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse, SourceLocation where) {
  detail::require_defined("linear_recurrence", a, where);
  detail::require_defined("linear_recurrence", b, where);
  const SourceLine line = a.trace()->line(where);
  axis = detail::normalize_axis("linear_recurrence", a, axis, line);
  return a.trace()->create("linear_recurrence", {a, b}, {{"axis", std::int64_t{axis}}, {"reverse", reverse}}, line);
}

// With the running maximum m, s_i = sum over j <= i of exp(x_j - m_i) is a recurrence:
// s_i = s_{i-1} * exp(m_{i-1} - m_i) + exp(x_i - m_i). The result, m + log s, does not depend on m.
Tensor logcumsumexp(const Tensor& x, int axis, SourceLocation where) {
  detail::require_defined("logcumsumexp", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("logcumsumexp", x, line);
  axis = detail::normalize_axis("logcumsumexp", x, axis, line);
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor running = stop_gradient(cummax(x, axis).values);
  // inf - inf would be NaN; any finite number will do in its place.
  const Tensor m = pullback::where(abs(running) < infinity, running, 0);
  const Tensor before =
      x.trace()->emit("logcumsumexp", {m}, line, [&](ir::Builder& b, const std::vector<ops::Value>& v) {
        Shape low(x.rank(), Dim(0)), high = low;
        low[static_cast<std::size_t>(axis)] = Dim(1);
        high[static_cast<std::size_t>(axis)] = Dim(-1);
        return ops::pad(v[0], ops::scalar(b, x.dtype(), 0), low, high);
      });
  const Tensor s = linear_recurrence(exp(before - m), exp(x - m), axis);
  // Nothing but -inf so far: no gradient flows through the logarithm of 0.
  const Tensor nothing = equal(s, 0);
  return pullback::where(nothing, -infinity, m + log(pullback::where(nothing, 1, s)));
}

}  // namespace pullback
