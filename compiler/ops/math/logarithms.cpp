// log and what is made of it. x = 2^k (1+f) with 1+f within sqrt(2) of 1, and log(1+f) = 2 atanh(s), s = f/(2+f).
#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

// ln(2): the high parts have trailing zeros, so that k times them is exact.
constexpr double kShortLn2High = 0x1.62e42feep-1, kShortLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kShortLn2HighF32 = 0x1.62e4p-1, kShortLn2LowF32 = 0x1.7f7d1cp-20;

struct Decomposed {
  Expr k;         // the exponent, an i64 or i32
  Expr mantissa;  // 1+f
};

/// Of a positive, normal number.
Decomposed decompose(Expr x) {
  const Expr bits = to_bits(x);
  const Expr root_half = to_bits(x.like(0x1.6a09e667f3bcdp-1));  // sqrt(1/2)
  const Expr k = (bits - root_half) >> mantissa_bits(x);
  return {k, from_bits(bits - (k << mantissa_bits(x)))};
}

/// The same of any positive number: subnormal ones are scaled up first.
Decomposed decompose_any(Expr x) {
  const bool wide = x.is_double();
  const Expr subnormal = x < (wide ? 0x1p-1022 : 0x1p-126);
  Decomposed d = decompose(select(subnormal, x * (wide ? 0x1p54 : 0x1p25), x));
  d.k = d.k - select(subnormal, wide ? 54.0 : 25.0, d.k.like(0));
  return d;
}

/// What log gives outside (0, inf).
Expr with_special_cases(Expr x, Expr result) {
  result = select(x == kInfinity, x, result);
  result = select(x == 0.0, -kInfinity, result);
  return select(x >= 0.0, result, kNan);
}

/// k ln(2) + log(1+f), in f32.
Expr log_of_parts_f32(Expr k, Expr f) {
  const Expr square = f * f;
  const Expr tail = fma(square * f, polynomial(f, log_tail_f32), fma(k, kShortLn2LowF32, square * -0.5));
  return fma(k, kShortLn2HighF32, f + tail);
}

/// k ln(2) + log(1 + f.hi + f.lo), relative error near 2^-65; f64. For k = 0 relative to small f too.
Pair log_of_parts(Expr k, Pair f) {
  const Pair s = divide(f, add(f, f.hi.like(2)));
  const Pair z = multiply(s, s);
  const Expr tail = z.hi * polynomial(z.hi, log_long_tail_f64);
  const Pair two_thirds = fast_two_sum(f.hi.like(0x1.5555555555555p-1), tail);
  const Pair series{two_thirds.hi, fma(z.lo, 0.4, two_thirds.lo + 0x1.5555555555555p-55)};
  const Pair cube = multiply(multiply(s, z), series);
  const Pair fraction = add({s.hi + s.hi, s.lo + s.lo}, cube);
  return add(add(fraction, k * kShortLn2Low), k * kShortLn2High);
}

/// log(x.hi + x.lo) for x.hi a positive, finite, normal number; x.lo small beside it.
Pair log_of_pair(Pair x) {
  const Decomposed d = decompose(x.hi);
  // Where k is large, lo is below the last place of the result; 2^-k must stay a normal number.
  const Expr inverse = power_of_two(select(d.k > 1000.0, -1000.0, -d.k));
  return log_of_parts(to_float(d.k), two_sum(d.mantissa - 1.0, x.lo * inverse));
}

}  // namespace

Pair log_pair(Expr x) {
  const Decomposed d = decompose_any(x);
  return log_of_parts(to_float(d.k), {d.mantissa - 1.0, x.like(0)});
}

Expr log_f32(Expr x) {
  const Decomposed d = decompose_any(x);
  return with_special_cases(x, log_of_parts_f32(to_float(d.k), d.mantissa - 1.0));
}

Expr log_f64(Expr x) {
  const Decomposed d = decompose_any(x);
  const Expr k = to_float(d.k), f = d.mantissa - 1.0;
  const Expr s = f / (f + 2.0), z = s * s, half_square = f * f * 0.5;
  const Expr tail = fma(s, fma(z, polynomial(z, log_tail_f64), half_square), k * kShortLn2Low);
  return with_special_cases(x, fma(k, kShortLn2High, f - (half_square - tail)));
}

Expr log1p_f32(Expr x) {
  const Pair sum = two_sum(x, x.like(1));
  const Decomposed d = decompose(sum.hi);
  const Expr inverse = power_of_two(select(d.k > 100.0, -100.0, -d.k));
  const Expr f = fma(sum.lo, inverse, d.mantissa - 1.0);
  const Expr result = with_special_cases(x + 1.0, log_of_parts_f32(to_float(d.k), f));
  return select(abs(x) < 0x1p-25, x, result);
}

Expr log1p_f64(Expr x) {
  const Expr result = with_special_cases(x + 1.0, collapse(log_of_pair(two_sum(x, x.like(1)))));
  return select(abs(x) < 0x1p-54, x, result);
}

Expr log2_f64(Expr x) {
  const Decomposed d = decompose_any(x);
  const Pair fraction = log_of_parts(x.like(0), {d.mantissa - 1.0, x.like(0)});
  const Pair log2_e{x.like(0x1.71547652b82fep+0), x.like(0x1.777d0ffda0d24p-56)};
  return with_special_cases(x, collapse(add(multiply(fraction, log2_e), to_float(d.k))));
}

Expr log10_f64(Expr x) {
  const Pair log10_e{x.like(0x1.bcb7b1526e50ep-2), x.like(0x1.95355baaafad3p-57)};
  return with_special_cases(x, collapse(multiply(log_pair(x), log10_e)));
}

// log1p(a + a^2/(1 + sqrt(1 + a^2))), a = |x|; from 2^28 on log(2a).
Expr asinh_f64(Expr x) {
  const Expr magnitude = abs(x), big = magnitude > 0x1p28;
  const Expr a = select(big, 1.0, magnitude);
  const Pair square = two_product(a, a);
  const Pair root = square_root(add(square, x.like(1)));
  const Pair u = add(divide(square, add(root, x.like(1))), a);
  const Pair argument = select(big, Pair{magnitude, x.like(0)}, add(u, x.like(1)));
  // 1 + u loses the end of a small u: log_of_parts gets u itself then.
  const Pair small = log_of_parts(x.like(0), u);
  const Pair large = add(log_of_pair(argument), select(big, x.like(0x1.62e42fefa39efp-1), 0.0));
  const Expr result = select(magnitude < 0.25, collapse(small), collapse(large));
  return select(magnitude < 0x1p-28, x, select(magnitude == kInfinity, x, copysign(result, x)));
}

// log1p(t + sqrt(2t + t^2)), t = x - 1; from 2^28 on log(2x).
Expr acosh_f64(Expr x) {
  const Expr big = x > 0x1p28;
  const Expr t = select(big, 1.0, x - 1.0);
  const Pair square = two_product(t, t);
  const Pair u = add(square_root(add(square, t + t)), t);
  const Pair argument = select(big, Pair{x, x.like(0)}, add(u, x.like(1)));
  const Pair small = log_of_parts(x.like(0), u);
  const Pair large = add(log_of_pair(argument), select(big, x.like(0x1.62e42fefa39efp-1), 0.0));
  const Expr result = select(t < 0.03125, collapse(small), collapse(large));
  return select(x == 1.0, 0.0, select(x == kInfinity, x, select(x > 1.0, result, kNan)));
}

// log((1+a)/(1-a))/2 = log1p(2a/(1-a))/2, a = |x|.
Expr atanh_f64(Expr x) {
  const Expr magnitude = abs(x);
  const Pair u = divide({magnitude + magnitude, x.like(0)}, two_sum(x.like(1), -magnitude));
  const Expr small = collapse(log_of_parts(x.like(0), u));
  const Expr large = collapse(log_of_pair(add(u, x.like(1))));
  const Expr result = copysign(select(magnitude < 0.125, small, large) * 0.5, x);
  const Expr beyond = select(magnitude == 1.0, copysign(x.like(kInfinity), x), kNan);
  return select(magnitude < 0x1p-28, x, select(magnitude < 1.0, result, beyond));
}

}  // namespace pullback::ops::math
