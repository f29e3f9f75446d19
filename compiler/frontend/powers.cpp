// Powers, exponentials and logarithms that are composed of the primitive ones.
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

namespace {

// x^n by repeated squaring, n >= 1.
Tensor integer_power(const Tensor& x, std::int64_t n) {
  if (n == 1) return x;
  const Tensor half = integer_power(x, n / 2);
  return n % 2 == 0 ? half * half : half * half * x;
}

// The powers that need no logarithm; undefined for other exponents.
Tensor simple_power(const Tensor& x, double exponent, const SourceLine& line) {
  if (exponent == 0) return detail::fill(*x.trace(), x.dtype(), x.shape(), 1, line);
  if (exponent == 1) return x;
  if (exponent == 2) return x * x;
  if (exponent == 3) return x * x * x;
  if (exponent == 0.5) return sqrt(x);
  if (exponent == -0.5) return rsqrt(x);
  if (exponent == -1) return 1.0 / x;
  if (exponent == -2) return 1.0 / (x * x);
  if (exponent == -3) return 1.0 / (x * x * x);
  return {};
}

}  // namespace

Tensor pow(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("pow", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  if (a.is_tensor() && !b.is_tensor()) {
    const Tensor& x = a.tensor();
    if (is_float(x.dtype())) {
      if (const Tensor y = simple_power(x, b.real(), operands.line()); y.defined()) return y;
    } else if (b.kind() == Operand::Kind::integer && x.dtype() != boolean) {
      if (b.integer() < 0)
        detail::fail("pow", fmt::format("{}: the exponent is negative; cast() the integers", operands.describe()),
                     operands.line());
      return b.integer() == 0 ? detail::fill(*x.trace(), x.dtype(), x.shape(), 1, operands.line())
                              : integer_power(x, b.integer());
    }
  }
  return operands.trace().create("pow", operands.unified(), {}, operands.line());
}

Tensor reciprocal(const Tensor& x, SourceLocation where) {
  detail::require_defined("reciprocal", x, where);
  detail::require_float("reciprocal", x, x.trace()->line(where));
  return div({1, where}, {x, where}, where);
}

Tensor exp2(const Tensor& x, SourceLocation where) {
  detail::require_defined("exp2", x, where);
  detail::require_float("exp2", x, x.trace()->line(where));
  return pow({2, where}, {x, where}, where);
}

Tensor log10(const Tensor& x, SourceLocation where) {
  detail::require_defined("log10", x, where);
  detail::require_float("log10", x, x.trace()->line(where));
  detail::Pin pin(x, where);
  return log(x) * std::numbers::log10e;
}

Tensor logit(const Tensor& x, std::optional<double> eps, SourceLocation where) {
  detail::require_defined("logit", x, where);
  detail::require_float("logit", x, x.trace()->line(where));
  if (eps && !(*eps >= 0 && *eps <= 0.5))
    detail::fail("logit", fmt::format("eps is {}: it lies in [0, 0.5]", *eps), x.trace()->line(where));
  detail::Pin pin(x, where);
  const Tensor p = eps ? clamp(x, *eps, 1 - *eps) : x;
  return log(p / (1.0 - p));
}

Tensor logaddexp(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("logaddexp", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  detail::require_float("logaddexp", pair[0], operands.line());
  // One comparison orders them, so that at ties each gets half of the gradient.
  const Tensor ordered = pair[0] >= pair[1];
  const Tensor high = pullback::where(ordered, pair[0], pair[1]), low = pullback::where(ordered, pair[1], pair[0]);
  const Tensor infinite = isinf(high) & !isnan(low);  // inf - inf would be NaN
  const Tensor distance = pullback::where(infinite, 0.0, low - high);
  return pullback::where(infinite, high, high + log1p(exp(distance)));
}

Tensor xlogy(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("xlogy", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  detail::require_float("xlogy", pair[0], operands.line());
  // Where 0 meets an infinite logarithm, or none; elsewhere the slope log(b) is wanted also where a is 0.
  const Tensor beyond = (pair[1] <= 0.0) | isinf(pair[1]);
  const Tensor zero = equal(pair[0], 0.0) & beyond;
  return pullback::where(zero, 0.0, pair[0] * log(pullback::where(zero, 1.0, pair[1])));
}

Tensor hypot(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("hypot", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  detail::require_float("hypot", pair[0], operands.line());
  // The result does not depend on the scale, and neither does its gradient.
  const Tensor largest = stop_gradient(maximum(abs(pair[0]), abs(pair[1])));
  const Tensor scale = pullback::where((largest > 0.0) & isfinite(largest), largest, 1.0);
  return scale * sqrt(square(pair[0] / scale) + square(pair[1] / scale));
}

Tensor sinc(const Tensor& x, SourceLocation where) {
  detail::require_defined("sinc", x, where);
  detail::require_float("sinc", x, x.trace()->line(where));
  detail::Pin pin(x, where);
  const Tensor zero = equal(x, 0.0);
  const Tensor angle = std::numbers::pi * pullback::where(zero, 1.0, x);
  return pullback::where(zero, 1.0, sin(angle) / angle);
}

}  // namespace pullback
