// pow and cbrt.
#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

/// pow from |x|^y for x neither zero nor infinite: the special cases of C99, annex F.9.4.4. f64.
Expr pow_special_cases(Expr x, Expr y, Expr power) {
  const Expr magnitude = abs(x);
  const Expr whole = trunc(y) == y, half = y * 0.5;
  const Expr odd = whole & (trunc(half) != half);
  const Expr falling = y < 0.0;
  Expr result = select(magnitude == 0.0, select(falling, kInfinity, x.like(0)), power);
  result = select(magnitude == kInfinity, select(falling, 0.0, x.like(kInfinity)), result);
  result = select(odd, copysign(result, x), result);
  result = select((x < 0.0) & !whole & (magnitude < kInfinity), kNan, result);
  result = select(is_nan(x) | is_nan(y), kNan, result);
  return select((x == 1.0) | (y == 0.0), 1.0, result);
}

/// Beyond 2^65, powers of anything but 1 are 0 or infinite.
Expr clamp_power(Expr y) {
  return clamp(y, -0x1p65, 0x1p65);
}

}  // namespace

// exp(y log|x|) with the logarithm and the product as Pairs.
Expr pow_f64(Expr x, Expr y) {
  const ScaledPair power = exp_pair(multiply(log_pair(abs(x)), clamp_power(y)));
  return pow_special_cases(x, y, scale(collapse(power.significand), power.exponent));
}

// In f64, where plain arithmetic has bits to spare.
Expr pow_f32(Expr x, Expr y) {
  const Expr wide_x = convert(x, DType::f64), wide_y = convert(y, DType::f64);
  const Expr power = exp(log_f64(abs(wide_x)) * clamp_power(wide_y));
  return convert(pow_special_cases(wide_x, wide_y, power), DType::f32);
}

// |x| = m 8^q with m in [1, 8): a polynomial, a step of Halley's method, and a step of Newton's with the rest exact.
Expr cbrt_f64(Expr x) {
  const Expr magnitude = abs(x), subnormal = magnitude < 0x1p-1022;
  const Expr bits = to_bits(select(subnormal, magnitude * 0x1p54, magnitude));
  const Expr exponent = (bits >> 52) - 1023.0;
  const Expr third = floor((to_float(exponent) + 0.5) * (1.0 / 3.0));
  const Expr q = to_bits(third + 0x1.8p52) - to_bits(x.like(0x1.8p52));
  const Expr m = from_bits(bits - ((q * 3.0) << 52));
  Expr root = polynomial(m, cbrt_start_f64);
  const Expr cube = root * root * root;
  root = root * (cube + (m + m)) / (cube + cube + m);
  const Pair square = two_product(root, root);
  const Expr rest = fma(square.lo, root, fma(square.hi, root, -m));
  root = root - rest / (square.hi * 3.0);
  const Expr result = copysign(root * power_of_two(q - select(subnormal, 18.0, q.like(0))), x);
  return select((magnitude > 0.0) & (magnitude < kInfinity), result, x);
}

}  // namespace pullback::ops::math
