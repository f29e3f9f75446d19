// exp and what is made of it. x = n ln(2) + r with |r| <= ln(2)/2, then exp(x) = 2^n (1 + r + r^2/2 + r^3 q(r)).
#include <cmath>

#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

// ln(2) in two parts: n*ln2_high is subtracted without error by fma, since the difference fits the mantissa.
constexpr double kLog2E = 0x1.71547652b82fep+0;
constexpr double kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;
constexpr double kLn2HighF32 = 0x1.62e43p-1, kLn2LowF32 = -0x1.05c610p-29;
// (exp(r) - 1 - r) / r^2.
constexpr auto kExpTailF64 = with_constant_term(0.5, exp_tail_f64);
constexpr auto kExpTailF32 = with_constant_term(0.5, exp_tail_f32);

struct Reduced {
  Rounded n;
  Pair r;  // f32: lo is unused
};

/// With sign = -1, n is the negative of what x = n ln(2) + r says.
Reduced reduce_by_ln2(Expr x, double sign = 1) {
  const Rounded n = round_product(x, sign * kLog2E);
  if (!x.is_double()) {
    const Expr r = fma(n.number, -sign * kLn2LowF32, fma(n.number, -sign * kLn2HighF32, x));
    return {n, {r, r.like(0)}};
  }
  const Expr high = fma(n.number, -sign * kLn2High, x), low = n.number * (sign * kLn2Low);
  const Expr r = high - low;
  return {n, {r, (high - r) - low}};
}

/// exp(r) - 1, rounded.
Expr expm1_reduced(Pair r) {
  const Expr square = r.hi * r.hi;
  if (!r.hi.is_double()) return fma(square, polynomial_by_pairs(r.hi, square, kExpTailF32), r.hi);
  return r.hi + fma(square, polynomial_by_pairs(r.hi, square, kExpTailF64), r.lo);
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

// The low part of ln(2) is left out: n times it is multiplied by 2^n, at most 2^-30.
Expr one_minus_exp_f32(Expr x) {
  const Rounded n = round_product(x, kLog2E);
  const Expr r = fma(n.number, -kLn2HighF32, x), power = power_of_two(n);
  return fma(-power, expm1_reduced({r, r.like(0)}), 1.0 - power);
}

// With h = (exp(2|x|) - 1)/2 and d = 1 + h: 1 - 1/d, and where that would cancel, h - h^2/d.
Expr tanh_f32(Expr x) {
  const Expr magnitude = abs(x);
  const Reduced reduced = reduce_by_ln2(at_most(magnitude + magnitude, 20));
  const Expr half_power = power_of_two(reduced.n, -1), p = expm1_reduced(reduced.r);
  const Expr h = fma(half_power, p, half_power - 0.5);
  const Expr inverse = 1.0 / fma(half_power, p, half_power + 0.5);
  const Expr small = fma(-h, h * inverse, h), large = 1.0 - inverse;
  return copysign(select(magnitude < 0.625, small, large), x);
}

// t/(t+2) with t = exp(2|x|) - 1.
Expr tanh_f64(Expr x) {
  const Expr magnitude = abs(x);
  const Pair t = expm1_pair(at_most(magnitude + magnitude, 44));
  const Expr result = copysign(collapse(divide(t, add(t, x.like(2)))), x);
  return select(magnitude < 0x1p-28, x, result);
}

// 1/(1 + exp(|x|)) = t/(1 + t + p) with exp(|x|) = (1+p)/t, t a power of two. The least t (2^-150, 2^-1076) is
// subnormal, or less: it is kept larger by a constant power of two. Of numbers above 0 it is the rest to 1. The sum is
// rounded twice, the quotient once: less than 2 ulp, which x near -0 comes close to.
Expr sigmoid(Expr x) {
  const Reduced reduced = reduce_by_ln2(at_most(abs(x), x.is_double() ? 746 : 104), -1);
  const int larger = mantissa_bits(x) + 5;
  const double smaller = std::ldexp(1.0, -larger);
  const Expr t = power_of_two(reduced.n, larger);
  const Expr below_half = t / (1.0 + fma(t, smaller, expm1_reduced(reduced.r))) * smaller;
  return select(x < 0.0, below_half, 1.0 - below_half);
}

}  // namespace pullback::ops::math
