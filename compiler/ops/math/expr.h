// Expr: kernel values with operators, so that the functions of this folder read like formulas. Numbers take the dtype
// of the Expr beside them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "compiler/ir/kernel/builder.h"

namespace pullback::ops::math {

struct Expr {
  kernel::Builder* builder = nullptr;
  kernel::Value* value = nullptr;

  DType dtype() const { return value->dtype; }
  bool is_double() const { return value->dtype == DType::f64; }
  Expr with(kernel::Value* other) const { return {builder, other}; }
  /// A constant of this dtype.
  Expr like(double number) const { return with(builder->like(value, number)); }
  Expr like_bits(std::uint64_t bits) const { return with(builder->bits(value->dtype, bits)); }
};

/// An Expr, or a number that becomes one beside an Expr.
class Operand {
 public:
  Operand(Expr expr) : expr_(expr) {}          // NOLINT: conversion is the point
  Operand(double number) : number_(number) {}  // NOLINT
  Expr beside(Expr other) const { return expr_.value ? expr_ : other.like(number_); }

 private:
  Expr expr_;
  double number_ = 0;
};

#define PULLBACK_MATH_BINARY(name, method)              \
  inline Expr name(Expr x, Expr y) {                    \
    return x.with(x.builder->method(x.value, y.value)); \
  }                                                     \
  inline Expr name(Expr x, double y) {                  \
    return name(x, x.like(y));                          \
  }                                                     \
  inline Expr name(double x, Expr y) {                  \
    return name(y.like(x), y);                          \
  }
PULLBACK_MATH_BINARY(operator+, add)
PULLBACK_MATH_BINARY(operator-, sub)
PULLBACK_MATH_BINARY(operator*, mul)
PULLBACK_MATH_BINARY(operator/, div)
PULLBACK_MATH_BINARY(operator&, bit_and)
PULLBACK_MATH_BINARY(operator|, bit_or)
PULLBACK_MATH_BINARY(operator^, bit_xor)
PULLBACK_MATH_BINARY(operator<<, shl)
PULLBACK_MATH_BINARY(operator>>, sar)
PULLBACK_MATH_BINARY(operator<, lt)
PULLBACK_MATH_BINARY(operator<=, le)
PULLBACK_MATH_BINARY(operator>, gt)
PULLBACK_MATH_BINARY(operator>=, ge)
PULLBACK_MATH_BINARY(operator==, eq)
PULLBACK_MATH_BINARY(operator!=, ne)
#undef PULLBACK_MATH_BINARY

inline Expr operator-(Expr x) {
  return x.with(x.builder->neg(x.value));
}
inline Expr operator!(Expr x) {
  return x.with(x.builder->bit_not(x.value));
}
inline Expr abs(Expr x) {
  return x.with(x.builder->abs(x.value));
}
inline Expr sqrt(Expr x) {
  return x.with(x.builder->sqrt(x.value));
}
inline Expr trunc(Expr x) {
  return x.with(x.builder->trunc(x.value));
}
inline Expr floor(Expr x) {
  return x.with(x.builder->floor(x.value));
}
inline Expr round_even(Expr x) {
  return x.with(x.builder->round_even(x.value));
}
inline Expr copysign(Expr x, Expr y) {
  return x.with(x.builder->copysign(x.value, y.value));
}
inline Expr convert(Expr x, DType to) {
  return x.with(x.builder->convert(x.value, to));
}
/// x*y + z, rounded once.
inline Expr fma(Expr x, Operand y, Operand z) {
  return x.with(x.builder->fma(x.value, y.beside(x).value, z.beside(x).value));
}
inline Expr select(Expr condition, Expr x, Expr y) {
  return x.with(x.builder->select(condition.value, x.value, y.value));
}
inline Expr select(Expr condition, double x, Expr y) {
  return select(condition, y.like(x), y);
}
inline Expr select(Expr condition, Expr x, double y) {
  return select(condition, x, x.like(y));
}

/// The bits of a float as i32 or i64, and back.
inline Expr to_bits(Expr x) {
  return x.with(x.builder->bitcast(x.value, x.is_double() ? DType::i64 : DType::i32));
}
inline Expr from_bits(Expr bits) {
  return bits.with(bits.builder->bitcast(bits.value, bits.dtype() == DType::i64 ? DType::f64 : DType::f32));
}
inline Expr is_nan(Expr x) {
  return x != x;
}
/// x, or `high` where that is less; NaN stays.
inline Expr at_most(Expr x, double high) {
  return select(x > high, high, x);
}
/// x kept within [low, high]; NaN stays.
inline Expr clamp(Expr x, double low, double high) {
  x = at_most(x, high);
  return select(x < low, low, x);
}
inline constexpr double kInfinity = __builtin_inf();
inline constexpr double kNan = __builtin_nan("");

/// coefficients[0] + coefficients[1]*x + ..., by Horner's rule with fma.
template <std::size_t n>
Expr polynomial(Expr x, const double (&coefficients)[n]) {
  Expr sum = x.like(coefficients[n - 1]);
  for (std::size_t i = n - 1; i-- > 0;) sum = fma(sum, x, coefficients[i]);
  return sum;
}

/// The same by pairs of terms, which do not wait for each other: half the steps of Horner's rule, no more operations.
/// `square` is x*x.
inline Expr polynomial_by_pairs(Expr x, Expr square, std::span<const double> coefficients) {
  const std::size_t n = coefficients.size();
  const auto pair = [&](std::size_t i) {
    return i + 1 < n ? fma(x, coefficients[i + 1], coefficients[i]) : x.like(coefficients[i]);
  };
  std::size_t i = (n - 1) / 2 * 2;
  Expr sum = pair(i);
  while (i > 0) {
    i -= 2;
    sum = fma(square, sum, pair(i));
  }
  return sum;
}
/// The coefficients of first + x*(a polynomial).
template <std::size_t n>
constexpr std::array<double, n + 1> with_constant_term(double first, const double (&rest)[n]) {
  std::array<double, n + 1> all{first};
  std::copy(rest, rest + n, all.begin() + 1);
  return all;
}

// Floating-point formats.
inline int mantissa_bits(Expr x) {
  return x.is_double() ? 52 : 23;
}
inline int exponent_bias(Expr x) {
  return x.is_double() ? 1023 : 127;
}

/// A number rounded to an integer, as a float and as i32 or i64. |x| < 2^22 or 2^51.
struct Rounded {
  Expr number, integer;
  Expr shifted;  ///< the sum of 1.5 * 2^mantissa_bits and the integer, whose bits are a constant plus the integer
};
/// x*factor to the nearest integer by adding 1.5 * 2^mantissa_bits, in whose low bits the integer then stands.
inline Rounded round_product(Expr x, double factor) {
  const Expr shifter = x.like(x.is_double() ? 0x1.8p52 : 0x1.8p23);
  const Expr shifted = fma(x, factor, shifter);
  return {shifted - shifter, to_bits(shifted) - to_bits(shifter), shifted};
}
/// A small integer (i32 or i64) as a float.
inline Expr to_float(Expr integer) {
  const bool wide = integer.dtype() == DType::i64;
  const Expr shifter =
      integer.with(integer.builder->constant(wide ? DType::f64 : DType::f32, wide ? 0x1.8p52 : 0x1.8p23));
  return from_bits(integer + to_bits(shifter)) - shifter;
}
/// 2^n as a float, for n within the exponents of normal numbers.
inline Expr power_of_two(Expr n) {
  const bool wide = n.dtype() == DType::i64;
  return from_bits((n + (wide ? 1023 : 127)) << (wide ? 52 : 23));
}
/// 2^(n+more), one instruction less.
inline Expr power_of_two(const Rounded& n, int more = 0) {
  const int bits = mantissa_bits(n.number);
  const Expr shifted = to_bits(n.shifted) << bits;  // the constant has no bits among those that stay
  return from_bits(shifted + shifted.like_bits(static_cast<std::uint64_t>(exponent_bias(n.number) + more) << bits));
}
/// x * 2^n, rounded once also where the result is subnormal; n within twice the exponents of normal numbers.
inline Expr scale(Expr x, Expr n) {
  const Expr half = n >> 1;
  return x * power_of_two(half) * power_of_two(n - half);
}

/// The same for x in [1/4, 4]: one instruction where there is one.
inline Expr scale(Expr x, const Rounded& n) {
  return x.with(x.builder->scale(x.value, n.number.value));
}

// Double-double arithmetic: a Pair is the unevaluated sum hi + lo, |lo| <= ulp(hi)/2.
struct Pair {
  Expr hi, lo;
};
/// a + b exactly, for |a| >= |b| or a = 0.
inline Pair fast_two_sum(Expr a, Expr b) {
  const Expr sum = a + b;
  return {sum, b - (sum - a)};
}
/// a + b exactly.
inline Pair two_sum(Expr a, Expr b) {
  const Expr sum = a + b, from_b = sum - a;
  return {sum, (a - (sum - from_b)) + (b - from_b)};
}
/// a * b exactly.
inline Pair two_product(Expr a, Expr b) {
  const Expr product = a * b;
  return {product, fma(a, b, -product)};
}
inline Pair operator-(Pair a) {
  return {-a.hi, -a.lo};
}
inline Pair add(Pair a, Pair b) {
  const Pair sum = two_sum(a.hi, b.hi);
  return fast_two_sum(sum.hi, sum.lo + (a.lo + b.lo));
}
inline Pair add(Pair a, Expr b) {
  const Pair sum = two_sum(a.hi, b);
  return fast_two_sum(sum.hi, sum.lo + a.lo);
}
inline Pair multiply(Pair a, Pair b) {
  const Pair product = two_product(a.hi, b.hi);
  return fast_two_sum(product.hi, product.lo + fma(a.hi, b.lo, a.lo * b.hi));
}
inline Pair multiply(Pair a, Expr b) {
  const Pair product = two_product(a.hi, b);
  return fast_two_sum(product.hi, fma(a.lo, b, product.lo));
}
inline Pair divide(Pair a, Pair b) {
  const Expr quotient = a.hi / b.hi;
  const Expr rest = fma(-quotient, b.lo, fma(-quotient, b.hi, a.hi) + a.lo);
  return fast_two_sum(quotient, rest / b.hi);
}
inline Pair square_root(Pair a) {
  const Expr root = sqrt(a.hi);
  const Expr rest = fma(-root, root, a.hi) + a.lo;
  return fast_two_sum(root, rest / (root + root));
}
inline Expr collapse(Pair a) {
  return a.hi + a.lo;
}
inline Pair select(Expr condition, Pair a, Pair b) {
  return {select(condition, a.hi, b.hi), select(condition, a.lo, b.lo)};
}

}  // namespace pullback::ops::math
