// Functions of each element: arithmetic, comparisons, choice, transcendental functions, conversion.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <optional>

#include <pullback/tensor.h>

namespace pullback {

// --- Elementwise, of two operands that broadcast by NumPy's rules ---
Tensor add(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor sub(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor mul(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor div(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// The remainder of truncated division; it has the sign of `a`.
Tensor rem(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// The remainder of division that rounds down; it has the sign of `b`: Python's %.
Tensor remainder(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// floor(a / b), also of integers; no gradient flows through it. Floats: exact where a / b would round up to the next
/// integer.
Tensor floor_divide(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// a to the power b. Exponents that are numbers are computed by products, quotients and roots where they are 0.5, 1, 2,
/// 3 or their negatives; integers take integer exponents from 0 on. The gradient for the base is b * a^(b-1), 0 for the
/// exponent 0.
Tensor pow(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor atan2(const Operand& y, const Operand& x, SourceLocation where = SourceLocation::current());
/// NaN when either is NaN. At ties the gradient is split evenly.
Tensor maximum(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor minimum(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// As maximum and minimum, but a number beats NaN, and at ties the gradient goes to `a`.
Tensor fmax(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor fmin(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// sqrt(a^2 + b^2) without overflow of the squares; the gradient at (0, 0) is NaN, as PyTorch's.
Tensor hypot(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// |a| with the sign of b, of -0 too.
Tensor copysign(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// log(exp(a) + exp(b)), without overflow.
Tensor logaddexp(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// a * log(b), and 0 where a is 0 unless b is NaN.
Tensor xlogy(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// a + weight * (b - a); for |weight| from 0.5 on computed from b, so that both ends are met exactly.
Tensor lerp(const Tensor& a, const Tensor& b, const Operand& weight, SourceLocation where = SourceLocation::current());
/// x + value * a * b.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1,
               SourceLocation where = SourceLocation::current());
/// x + value * a / b.
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1,
               SourceLocation where = SourceLocation::current());

// --- Comparisons give bool tensors; no gradient flows through them ---
Tensor equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor not_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor less(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor less_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor greater(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor greater_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor isnan(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor isinf(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Neither infinite nor NaN.
Tensor isfinite(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Of any dtype: what is not 0 is true. The operators & | ^ ! do the same on bool tensors.
Tensor logical_and(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
Tensor logical_or(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
Tensor logical_xor(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// condition ? a : b, elementwise; all three broadcast.
Tensor where(const Tensor& condition, const Operand& a, const Operand& b,
             SourceLocation at = SourceLocation::current());
/// min(max(x, low), high), bounds being numbers or tensors that broadcast against x. The gradient is x's inside
/// [low, high], the bound's outside, where it is a tensor.
Tensor clamp(const Tensor& x, const Operand& low, const Operand& high,
             SourceLocation where = SourceLocation::current());
/// With one bound.
Tensor clamp_min(const Tensor& x, const Operand& low, SourceLocation where = SourceLocation::current());
Tensor clamp_max(const Tensor& x, const Operand& high, SourceLocation where = SourceLocation::current());
/// NaN and infinities replaced by numbers, infinities by the largest of the dtype unless said otherwise; the gradient
/// of what is replaced is 0.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> positive_infinity = {},
                  std::optional<double> negative_infinity = {}, SourceLocation where = SourceLocation::current());

// --- Elementwise, of one tensor ---
Tensor neg(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor abs(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sign(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor square(const Tensor& x, SourceLocation where = SourceLocation::current());
/// 1 / x.
Tensor reciprocal(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor exp(const Tensor& x, SourceLocation where = SourceLocation::current());
/// 2 to the power x; exact for integers.
Tensor exp2(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor expm1(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log2(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log10(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log1p(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sqrt(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor rsqrt(const Tensor& x, SourceLocation where = SourceLocation::current());
/// The cube root, also of negative numbers.
Tensor cbrt(const Tensor& x, SourceLocation where = SourceLocation::current());
/// log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is clamped to [eps, 1 - eps] first.
Tensor logit(const Tensor& x, std::optional<double> eps = {}, SourceLocation where = SourceLocation::current());
/// sin(pi x) / (pi x), 1 at 0.
Tensor sinc(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sin(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor cos(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor tan(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor asin(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor acos(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor atan(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sinh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor cosh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor tanh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor asinh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor acosh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor atanh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor erf(const Tensor& x, SourceLocation where = SourceLocation::current());
/// 1 - erf(x), exact where that is small.
Tensor erfc(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor floor(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor ceil(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor round_even(const Tensor& x, SourceLocation where = SourceLocation::current());
/// To the nearest multiple of 10^-decimals, halves to the even one. No gradient flows through rounding.
Tensor round(const Tensor& x, int decimals = 0, SourceLocation where = SourceLocation::current());
/// x - trunc(x).
Tensor frac(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor trunc(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor logical_not(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Converts each element: floats round to nearest even; float to integer truncates and saturates, NaN becomes 0.
Tensor cast(const Tensor& x, DType dtype, SourceLocation where = SourceLocation::current());
/// The same number; its gradient is zero.
Tensor stop_gradient(const Tensor& x, SourceLocation where = SourceLocation::current());

}  // namespace pullback
