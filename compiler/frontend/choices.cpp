// Functions that decide between elements: bounds, extrema, tests, signs, mixtures.
#include <cstdlib>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// x or the bound where it is beyond. A select, so that at the bound itself the gradient is x's; maximum would split it.
Tensor bounded_below(const Tensor& x, const Operand& low) {
  return is_float(x.dtype()) ? where(x < low, low, x) : maximum(x, low);
}
Tensor bounded_above(const Tensor& x, const Operand& high) {
  return is_float(x.dtype()) ? where(x > high, high, x) : minimum(x, high);
}

// A number takes x's dtype: 0.0 bounds integers too when it is whole.
Operand fitted(const char* op, const Tensor& x, const Operand& bound, const SourceLine& line) {
  if (bound.kind() != Operand::Kind::real || is_float(x.dtype())) return bound;
  if (static_cast<double>(bound.integer()) != bound.real())
    detail::fail(op, fmt::format("the bound {} does not fit x, which is {}", bound.real(), x.type_string()), line);
  return {bound.integer(), bound.where()};
}

double largest_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return std::numeric_limits<double>::max();
    case DType::f16:
      return 65504;
    case DType::bf16:
      return 0x1.fep127;
    default:
      return static_cast<double>(std::numeric_limits<float>::max());
  }
}

Tensor truth(const Tensor& x) {
  return x.dtype() == boolean ? x : not_equal(x, 0);
}

}  // namespace

Tensor clamp(const Tensor& x, const Operand& low, const Operand& high, SourceLocation where) {
  detail::require_defined("clamp", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  const bool numbers = !low.is_tensor() && !high.is_tensor();
  if (numbers && !(low.real() <= high.real()))
    detail::fail("clamp", fmt::format("low is {} and high is {}", low.real(), high.real()), line);
  const Operand least = fitted("clamp", x, low, line), most = fitted("clamp", x, high, line);
  if (numbers || !is_float(x.dtype())) return bounded_above(bounded_below(x, least), most);
  // Where the bounds cross the upper one wins, and takes the gradient.
  const Tensor above = greater(x, most) | (least.is_tensor() ? greater(least, most) : less(most, least));
  return pullback::where(above, most, bounded_below(x, least));
}

Tensor clamp_min(const Tensor& x, const Operand& low, SourceLocation where) {
  detail::require_defined("clamp_min", x, where);
  detail::Pin pin(x, where);
  return bounded_below(x, fitted("clamp_min", x, low, x.trace()->line(where)));
}

Tensor clamp_max(const Tensor& x, const Operand& high, SourceLocation where) {
  detail::require_defined("clamp_max", x, where);
  detail::Pin pin(x, where);
  return bounded_above(x, fitted("clamp_max", x, high, x.trace()->line(where)));
}

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> positive_infinity,
                  std::optional<double> negative_infinity, SourceLocation where) {
  detail::require_defined("nan_to_num", x, where);
  detail::Pin pin(x, where);
  if (!is_float(x.dtype())) return x;
  const double largest = largest_of(x.dtype());
  const Tensor below = pullback::where(equal(x, -kInfinity), negative_infinity.value_or(-largest), x);
  const Tensor above = pullback::where(equal(x, kInfinity), positive_infinity.value_or(largest), below);
  return pullback::where(isnan(x), nan, above);
}

static Tensor extremum(const char* op, const Operand& a, const Operand& b, const SourceLocation& where) {
  detail::Operands operands(op, {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  const bool largest = op == std::string_view("fmax");
  if (!is_float(pair[0].dtype())) return largest ? maximum(pair[0], pair[1]) : minimum(pair[0], pair[1]);
  const Tensor wins = largest ? pair[0] >= pair[1] : pair[0] <= pair[1];
  return pullback::where(wins | isnan(pair[1]), pair[0], pair[1]);
}

Tensor fmax(const Operand& a, const Operand& b, SourceLocation where) {
  return extremum("fmax", a, b, where);
}
Tensor fmin(const Operand& a, const Operand& b, SourceLocation where) {
  return extremum("fmin", a, b, where);
}

Tensor isnan(const Tensor& x, SourceLocation where) {
  return not_equal(x, x, where);
}

Tensor isinf(const Tensor& x, SourceLocation where) {
  detail::require_defined("isinf", x, where);
  detail::Pin pin(x, where);
  return is_float(x.dtype()) ? equal(abs(x), kInfinity) : not_equal(x, x);
}

Tensor isfinite(const Tensor& x, SourceLocation where) {
  detail::require_defined("isfinite", x, where);
  detail::Pin pin(x, where);
  return is_float(x.dtype()) ? abs(x) < kInfinity : equal(x, x);
}

static std::vector<Tensor> truths(const char* op, const Tensor& a, const Tensor& b, const SourceLocation& where) {
  detail::require_defined(op, a, where);
  detail::require_defined(op, b, where);
  const Operand left(truth(a), where), right(truth(b), where);
  return detail::Operands(op, {&left, &right}, where).unified();
}

Tensor logical_and(const Tensor& a, const Tensor& b, SourceLocation where) {
  detail::Pin pin(a.trace().get(), where);
  const std::vector<Tensor> pair = truths("logical_and", a, b, where);
  return pair[0] & pair[1];
}
Tensor logical_or(const Tensor& a, const Tensor& b, SourceLocation where) {
  detail::Pin pin(a.trace().get(), where);
  const std::vector<Tensor> pair = truths("logical_or", a, b, where);
  return pair[0] | pair[1];
}
Tensor logical_xor(const Tensor& a, const Tensor& b, SourceLocation where) {
  detail::Pin pin(a.trace().get(), where);
  const std::vector<Tensor> pair = truths("logical_xor", a, b, where);
  return pair[0] ^ pair[1];
}

Tensor copysign(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("copysign", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  detail::require_float("copysign", pair[0], operands.line());
  const Tensor size = abs(pair[0]), sign = stop_gradient(pair[1]);
  const Tensor negative = (sign < 0.0) | (equal(sign, 0.0) & (1.0 / sign < 0.0));
  return pullback::where(negative, -size, size);
}

Tensor lerp(const Tensor& a, const Tensor& b, const Operand& weight, SourceLocation where) {
  const Operand left(a, where), right(b, where);
  detail::Operands operands("lerp", {&left, &right, &weight}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> all = operands.unified();
  detail::require_float("lerp", all[0], operands.line());
  const Tensor way = all[1] - all[0], from_a = all[0] + all[2] * way, from_b = all[1] - way * (1.0 - all[2]);
  if (!weight.is_tensor()) return -0.5 < weight.real() && weight.real() < 0.5 ? from_a : from_b;
  return pullback::where(abs(all[2]) < 0.5, from_a, from_b);
}

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value, SourceLocation where) {
  detail::require_defined("addcmul", x, where);
  detail::Pin pin(x, where);
  return value == 1 ? x + a * b : x + value * a * b;
}

Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value, SourceLocation where) {
  detail::require_defined("addcdiv", x, where);
  detail::Pin pin(x, where);
  return value == 1 ? x + a / b : x + value * (a / b);
}

Tensor remainder(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("remainder", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  const Tensor rest = rem(pair[0], pair[1]);
  const Tensor other_side = not_equal(rest, 0) & ((rest < 0) ^ (pair[1] < 0));
  return pullback::where(other_side, rest + pair[1], rest);
}

Tensor floor_divide(const Operand& a, const Operand& b, SourceLocation where) {
  detail::Operands operands("floor_divide", {&a, &b}, where);
  detail::Pin pin(&operands.trace(), where);
  const std::vector<Tensor> pair = operands.unified();
  const Tensor x = stop_gradient(pair[0]), y = stop_gradient(pair[1]);
  const Tensor rest = rem(x, y);
  const Tensor other_side = not_equal(rest, 0) & ((rest < 0) ^ (y < 0));
  if (!is_float(x.dtype())) {
    const Tensor truncated = x / y;
    return pullback::where(other_side, truncated - 1, truncated);
  }
  // (x - rest) / y is an integer up to rounding.
  const Tensor whole = (x - rest) / y, lower = pullback::where(other_side, whole - 1.0, whole);
  const Tensor rounded = pullback::where(equal(lower, 0.0), copysign(lower, x / y), round_even(lower));
  return pullback::where(equal(y, 0.0), x / y, rounded);
}

Tensor round(const Tensor& x, int decimals, SourceLocation where) {
  detail::require_defined("round", x, where);
  detail::Pin pin(x, where);
  if (decimals == 0) return round_even(x);
  double scale = 1;
  for (int i = 0; i < std::abs(decimals); ++i) scale *= 10;
  return decimals > 0 ? round_even(x * scale) / scale : round_even(x / scale) * scale;
}

Tensor frac(const Tensor& x, SourceLocation where) {
  detail::require_defined("frac", x, where);
  detail::Pin pin(x, where);
  return x - trunc(x);
}

}  // namespace pullback
