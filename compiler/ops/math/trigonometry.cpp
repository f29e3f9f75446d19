// sin, cos, tan: x = n pi/2 + r with |r| <= pi/4. Up to a limit n is small and n pi/2 is subtracted in parts; beyond
// it, which is rare, call_where runs the reduction for large arguments.
#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

// pi/2 in three parts. fma subtracts n times the first without error: the difference fits the mantissa.
constexpr double kHalfPi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
constexpr double kHalfPiF32[] = {0x1.921fb6p+0, -0x1.777a5cp-25, -0x1.ee59dap-50};
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
constexpr double kLimit = 0x1p30, kLimitF32 = 0x1p17;

Quadrant reduce_by_half_pi(Expr x) {
  const double(&half_pi)[3] = x.is_double() ? kHalfPi : kHalfPiF32;
  const Rounded n = round_product(x, kTwoOverPi);
  const Expr first = fma(-n.number, half_pi[0], x);
  const Pair second = two_product(n.number, x.like(half_pi[1]));
  const Pair difference = two_sum(first, -second.hi);
  const Expr low = fma(-n.number, half_pi[2], difference.lo - second.lo);
  return {n.integer, fast_two_sum(difference.hi, low)};
}

Expr sin_polynomial(Expr z) {
  return z.is_double() ? polynomial(z, sin_tail_f64) : polynomial(z, sin_tail_f32);
}
Expr cos_polynomial(Expr z) {
  return z.is_double() ? polynomial(z, cos_tail_f64) : polynomial(z, cos_tail_f32);
}

// sin(r.hi + r.lo) as hi + lo: r.hi + (r.lo cos(r.hi) + r.hi^3 S(r.hi^2)).
Pair sin_reduced(Pair r) {
  const Expr z = r.hi * r.hi;
  return {r.hi, fma(z * r.hi, sin_polynomial(z), fma(r.lo * z, -0.5, r.lo))};
}

// cos(r.hi + r.lo) as hi + lo: 1 - r.hi^2/2 + (r.hi^4 C(r.hi^2) - r.hi r.lo).
Pair cos_reduced(Pair r) {
  const Pair z = two_product(r.hi, r.hi);
  const Pair start = fast_two_sum(r.hi.like(1), z.hi * -0.5);
  const Expr tail = fma(z.hi * z.hi, cos_polynomial(z.hi), fma(-r.hi, r.lo, fma(z.lo, -0.5, start.lo)));
  return {start.hi, tail};
}

/// sin of the angle, or cos where the quadrant is odd, with the sign of quadrants 2 and 3.
Expr sin_of(const Quadrant& angle) {
  const Pair sine = sin_reduced(angle.r), cosine = cos_reduced(angle.r);
  const Expr odd = (angle.quadrant & 1.0) != 0.0;
  const Expr result = select(odd, collapse(cosine), collapse(sine));
  return from_bits(to_bits(result) ^ ((angle.quadrant & 2.0) << (result.is_double() ? 62 : 30)));
}

Expr cos_of(const Quadrant& angle) {
  return sin_of({angle.quadrant + 1.0, angle.r});
}

// tan, or -1/tan where the quadrant is odd.
Expr tan_of(const Quadrant& angle) {
  const Pair sine = sin_reduced(angle.r), cosine = cos_reduced(angle.r);
  const Pair s = fast_two_sum(sine.hi, sine.lo), c = fast_two_sum(cosine.hi, cosine.lo);
  const Expr odd = (angle.quadrant & 1.0) != 0.0;
  return collapse(divide(select(odd, c, s), select(odd, -s, c)));
}

Expr full(Expr x, Expr result) {
  return select(abs(x) < kInfinity, result, kNan);
}

/// result where |x| is at most limit, and what the slow function `name` gives beyond.
Expr beyond(double limit, Expr x, const char* name, Expr result) {
  const kernel::Function& slow = *x.builder->functions()->find(name, x.dtype());
  return x.with(x.builder->call_where((abs(x) > limit).value, slow, {x.value}, result.value));
}

}  // namespace

Expr sin_full_f64(Expr x) {
  return full(x, sin_of(reduce_large(x)));
}
Expr cos_full_f64(Expr x) {
  return full(x, cos_of(reduce_large(x)));
}
Expr tan_full_f64(Expr x) {
  return full(x, tan_of(reduce_large(x)));
}

// Where x is so small that sin(x) rounds to x, x is the result: it keeps -0 and subnormal numbers.
Expr sin_f32(Expr x) {
  const Expr result = select(abs(x) < 0x1p-12, x, sin_of(reduce_by_half_pi(x)));
  return beyond(kLimitF32, x, "sin_full", result);
}
Expr cos_f32(Expr x) {
  return beyond(kLimitF32, x, "cos_full", cos_of(reduce_by_half_pi(x)));
}
Expr sin_f64(Expr x) {
  const Expr result = select(abs(x) < 0x1p-27, x, sin_of(reduce_by_half_pi(x)));
  return beyond(kLimit, x, "sin_full", result);
}
Expr cos_f64(Expr x) {
  return beyond(kLimit, x, "cos_full", cos_of(reduce_by_half_pi(x)));
}
Expr tan_f64(Expr x) {
  const Expr result = select(abs(x) < 0x1p-27, x, tan_of(reduce_by_half_pi(x)));
  return beyond(kLimit, x, "tan_full", result);
}

}  // namespace pullback::ops::math
