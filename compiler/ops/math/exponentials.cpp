// exp and what is made of it. x = n ln(2) + r with |r| <= ln(2)/2, then exp(x) = 2^n (1 + r + r^2/2 + r^3 q(r)).
#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

// ln(2) in two parts: n*ln2_high is subtracted without error by fma, since the difference fits the mantissa.
constexpr double kLog2E = 0x1.71547652b82fep+0;
constexpr double kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;
constexpr double kLn2HighF32 = 0x1.62e43p-1, kLn2LowF32 = -0x1.05c610p-29;

struct Reduced {
  Rounded n;
  Pair r;  // f32: lo is unused
};

Reduced reduce_by_ln2(Expr x) {
  const Rounded n = round_product(x, kLog2E);
  if (!x.is_double()) {
    const Expr r = fma(n.number, -kLn2LowF32, fma(n.number, -kLn2HighF32, x));
    return {n, {r, r.like(0)}};
  }
  const Expr high = fma(n.number, -kLn2High, x), low = n.number * kLn2Low;
  const Expr r = high - low;
  return {n, {r, (high - r) - low}};
}

/// exp(r) - 1, rounded.
Expr expm1_reduced(Pair r) {
  const Expr square = r.hi * r.hi;
  if (!r.hi.is_double()) return fma(square, fma(r.hi, polynomial(r.hi, exp_tail_f32), 0.5), r.hi);
  return r.hi + fma(square, fma(r.hi, polynomial(r.hi, exp_tail_f64), 0.5), r.lo);
}

/// exp(r) - 1 with a relative error near 2^-60; f64.
Pair expm1_pair_reduced(Pair r) {
  const Pair square = two_product(r.hi, r.hi);
  const Pair sum = fast_two_sum(r.hi, square.hi * 0.5);
  const Expr tail = fma(square.hi * r.hi, polynomial(r.hi, exp_tail_f64), fma(square.lo, 0.5, r.lo + r.hi * r.lo));
  return fast_two_sum(sum.hi, sum.lo + tail);
}

/// Beyond these, exp is 0 or infinite, and n stays within what scale() takes.
Expr clamp_exponent(Expr x) {
  return x.is_double() ? clamp(x, -746, 710) : clamp(x, -104, 89);
}

Expr finish_exp(const Reduced& reduced) {
  return scale(1.0 + expm1_reduced(reduced.r), reduced.n);
}

/// exp(x) - 1 as a Pair, for x in [-38, 710]; f64. Infinite results have a NaN in lo.
Pair expm1_pair(Expr x) {
  const Reduced reduced = reduce_by_ln2(x);
  const Pair p = expm1_pair_reduced(reduced.r);
  // 2^n (1+p) - 1 at half its size, so that n = 1024 does not overflow early.
  const Expr half_power = power_of_two(reduced.n.integer - 1.0);
  const Pair sum = two_sum(half_power - 0.5, half_power * p.hi);
  const Pair half = fast_two_sum(sum.hi, fma(half_power, p.lo, sum.lo));
  return {half.hi * 2.0, half.lo * 2.0};
}

}  // namespace

Expr exp(Expr x) {
  return finish_exp(reduce_by_ln2(clamp_exponent(x)));
}

ScaledPair exp_pair(Pair x) {
  const Expr high = clamp_exponent(x.hi);
  Reduced reduced = reduce_by_ln2(high);
  reduced.r = fast_two_sum(reduced.r.hi, reduced.r.lo + select(high == x.hi, x.lo, 0.0));
  return {add(expm1_pair_reduced(reduced.r), high.like(1)), reduced.n.integer};
}

// 2^x = 2^n exp((x - n) ln(2)), the product as a Pair.
Expr exp2(Expr x) {
  const bool wide = x.is_double();
  x = wide ? clamp(x, -1080, 1025) : clamp(x, -151, 129);
  const Rounded n = round_product(x, 1.0);
  const Expr rest = x - n.number;
  const Expr r = rest * (wide ? kLn2High : kLn2HighF32);
  const Expr low = fma(rest, wide ? kLn2High : kLn2HighF32, -r) + rest * (wide ? kLn2Low : kLn2LowF32);
  Expr p = expm1_reduced({r, low});
  if (!wide) p = p + low;
  return scale(1.0 + p, n);
}

Expr expm1_f32(Expr x) {
  const Reduced reduced = reduce_by_ln2(clamp(x, -20, 89));
  const Expr half_power = power_of_two(reduced.n.integer - 1.0);
  const Expr result = 2.0 * fma(half_power, expm1_reduced(reduced.r), half_power - 0.5);
  return select(abs(x) < 0x1p-25, x, result);  // keeps -0 and subnormal numbers
}

Expr expm1_f64(Expr x) {
  const Expr clamped = clamp(x, -38, 710);
  const Pair result = expm1_pair(clamped);
  const Expr sum = select(result.hi == kInfinity, kInfinity, result.hi + result.lo);
  return select(abs(x) < 0x1p-54, x, sum);
}

// With e = exp(|x|) = 2^n (1+p): 2 sinh(|x|) = e - 1/e = 2^n ((1 - 4^-n) + p + 4^-n p/(1+p)): no cancellation at 0.
Expr sinh_f64(Expr x) {
  const Reduced reduced = reduce_by_ln2(at_most(abs(x), 711));
  const Pair p = expm1_pair_reduced(reduced.r);
  const Expr n = reduced.n.integer;
  const Expr inverse_square = power_of_two(select(n > 100.0, -200.0, -n - n));
  const Pair one_more = add(p, x.like(1));
  const Pair fraction = divide(p, one_more);
  const Pair constant = fast_two_sum(x.like(1), -inverse_square);
  const Pair sum = add(add(p, {fraction.hi * inverse_square, fraction.lo * inverse_square}), constant);
  const Expr result = scale(collapse(sum) * 0.5, n);
  return select(abs(x) < 0x1p-28, x, copysign(result, x));
}

Expr cosh_f64(Expr x) {
  const Reduced reduced = reduce_by_ln2(at_most(abs(x), 711));
  const Pair p = expm1_pair_reduced(reduced.r);
  const Expr n = reduced.n.integer;
  const Expr inverse_square = power_of_two(select(n > 100.0, -200.0, -n - n));
  const Pair one_more = add(p, x.like(1));
  const Pair sum = add(one_more, inverse_square / one_more.hi);
  return scale(collapse(sum) * 0.5, n);
}

// Small: a polynomial. Otherwise 1 - 2/(exp(2|x|) + 1).
Expr tanh_f32(Expr x) {
  const Expr magnitude = abs(x), square = x * x;
  const Expr small = fma(magnitude * square, polynomial(square, tanh_tail_f32), magnitude);
  const Expr e = finish_exp(reduce_by_ln2(at_most(magnitude + magnitude, 20)));
  const Expr large = 1.0 - 2.0 / (e + 1.0);
  return copysign(select(magnitude < 0.625, small, large), x);
}

// t/(t+2) with t = exp(2|x|) - 1.
Expr tanh_f64(Expr x) {
  const Expr magnitude = abs(x);
  const Pair t = expm1_pair(at_most(magnitude + magnitude, 44));
  const Expr result = copysign(collapse(divide(t, add(t, x.like(2)))), x);
  return select(magnitude < 0x1p-28, x, result);
}

// e/(1+e) for negative numbers and 1/(1+e) for others, e = exp(-|x|): never overflows, and keeps small results. The
// first has three roundings that matter; what the first two lost is put back to first order.
Expr sigmoid(Expr x) {
  const Reduced reduced = reduce_by_ln2(-at_most(abs(x), x.is_double() ? 746 : 104));
  const Pair y = fast_two_sum(x.like(1), expm1_reduced(reduced.r));
  const Expr e = scale(y.hi, reduced.n);
  const Pair denominator = fast_two_sum(x.like(1), e);
  const Expr negative = x < 0.0;
  const Expr quotient = select(negative, e, 1.0) / denominator.hi;
  // Relative to the quotient: y.lo/y.hi of e, weighted 1/(1+e) = 1 - quotient, and lo/hi of the denominator.
  const Expr lost = fma(y.lo, 2.0 - y.hi, -denominator.lo) * (1.0 - quotient);
  return select(negative, fma(quotient, lost, quotient), quotient);
}

}  // namespace pullback::ops::math
