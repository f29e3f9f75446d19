// asin, acos, atan, atan2.
#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

constexpr double kHalfPiHigh = 0x1.921fb54442d18p+0, kHalfPiLow = 0x1.1a62633145c07p-54;
constexpr double kTanEighthPi = 0x1.a827999fcef32p-2;

/// What asin and acos share: asin(s) = s + tail, where s is |x| up to 1/2, and sqrt((1-|x|)/2) beyond. tail has what is
/// lost in s.
struct ArcSine {
  Expr beyond_half, s, tail;
};

ArcSine arc_sine(Expr x) {
  const Expr magnitude = abs(x), beyond_half = magnitude > 0.5;
  const Expr z = select(beyond_half, (1.0 - magnitude) * 0.5, x * x);
  const Expr root = sqrt(z);
  const Expr lost = select(root == 0.0, 0.0, fma(-root, root, z) / (root + root));
  const Expr s = select(beyond_half, root, magnitude);
  const Expr tail = fma(s * z, polynomial(z, asin_tail_f64), select(beyond_half, lost, 0.0));
  return {beyond_half, s, tail};
}

/// multiple * pi/2 - (s + tail).
Expr from_half_pi(double multiple, Expr s, Expr tail) {
  const Pair difference = two_sum(s.like(multiple * kHalfPiHigh), -s);
  return difference.hi + (difference.lo + (multiple * kHalfPiLow - tail));
}

/// atan(numerator/denominator) for 0 <= numerator <= denominator, both far from the ends of the exponents' range.
/// Beyond tan(pi/8) it is pi/4 + atan((numerator - denominator)/(numerator + denominator)).
Pair atan_of_quotient(Expr numerator, Expr denominator) {
  const Expr far = numerator > denominator * kTanEighthPi;
  const Expr zero = numerator.like(0);
  const Pair above = select(far, two_sum(numerator, -denominator), Pair{numerator, zero});
  const Pair below = select(far, two_sum(numerator, denominator), Pair{denominator, zero});
  const Pair t = divide(above, below);
  const Expr z = t.hi * t.hi;
  const Expr tail = fma(z * t.hi, polynomial(z, atan_tail_f64), t.lo);
  const Pair sum = two_sum(select(far, kHalfPiHigh / 2, zero), t.hi);
  return fast_two_sum(sum.hi, sum.lo + (select(far, kHalfPiLow / 2, zero) + tail));
}

/// multiple * pi/2 - angle, where `condition`.
Pair subtract_from(Expr condition, double multiple, Pair angle) {
  const Pair right{angle.hi.like(multiple * kHalfPiHigh), angle.hi.like(multiple * kHalfPiLow)};
  return select(condition, add(right, -angle), angle);
}

}  // namespace

Expr asin_f64(Expr x) {
  const auto [beyond_half, s, tail] = arc_sine(x);
  const Expr result = select(beyond_half, from_half_pi(1, s * 2.0, tail * 2.0), s + tail);
  return select(abs(x) < 0x1p-27, x, copysign(result, x));
}

// Near: pi/2 - asin(x). Far: 2 asin(sqrt((1-x)/2)), and pi minus that for negative numbers.
Expr acos_f64(Expr x) {
  const auto [beyond_half, s, tail] = arc_sine(x);
  const Expr negative = x < 0.0;
  const Expr near = from_half_pi(1, x, select(negative, -tail, tail));
  const Expr far = select(negative, from_half_pi(2, s * 2.0, tail * 2.0), (s + tail) * 2.0);
  return select(beyond_half, far, near);
}

Expr atan_f64(Expr x) {
  const Expr magnitude = clamp(abs(x), 0, 0x1p200);
  const Expr inverted = magnitude > 1.0;
  const Pair angle = atan_of_quotient(select(inverted, 1.0, magnitude), select(inverted, magnitude, 1.0));
  const Expr result = copysign(collapse(subtract_from(inverted, 1, angle)), x);
  return select(abs(x) < 0x1p-27, x, result);
}

Expr atan2_f64(Expr y, Expr x) {
  // Infinite coordinates: only which of them are infinite counts.
  Expr u = abs(x), v = abs(y);
  const Expr infinite_u = u == kInfinity, infinite_v = v == kInfinity, infinite = infinite_u | infinite_v;
  u = select(infinite, select(infinite_u, x.like(1), 0.0), u);
  v = select(infinite, select(infinite_v, x.like(1), 0.0), v);
  const Expr steep = v > u;
  Expr numerator = select(steep, u, v), denominator = select(steep, v, u);
  denominator = select(denominator == 0.0, 1.0, denominator);
  const Expr factor = select(denominator > 0x1p900, 0x1p-200, select(denominator < 0x1p-900, x.like(0x1p200), 1.0));
  Pair angle = atan_of_quotient(numerator * factor, denominator * factor);
  angle = subtract_from(steep, 1, angle);
  angle = subtract_from(copysign(x.like(1), x) < 0.0, 2, angle);
  const Expr result = copysign(collapse(angle), y);
  return select(is_nan(x) | is_nan(y), kNan, result);
}

}  // namespace pullback::ops::math
