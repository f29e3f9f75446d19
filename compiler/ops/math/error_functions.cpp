// erf and erfc.
#include <iterator>

#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/polynomials.h"

namespace pullback::ops::math {
namespace {

/// erf(x), |x| <= 1; f64.
Expr erf_small(Expr x) {
  const Expr z = x * x;
  return fma(x, 0x1.20dd750429b6dp+0, x * fma(z, polynomial(z, erf_small_f64), 0x1.1ae3a914fed8p-56));
}

/// erfc(a) for a in [0.45, 28] (kept there): exp(-a^2) P(q) / (1 + 2a) with q = (a-3)/(a+3); f64.
Expr erfc_positive(Expr a) {
  a = clamp(a, 0.45, 28);
  const Pair square = two_product(a, a);
  const ScaledPair power = exp_pair(-square);
  const Expr q = collapse(divide(two_sum(a, a.like(-3)), two_sum(a, a.like(3))));
  Expr tail = a.like(erfc_scaled_f64[std::size(erfc_scaled_f64) - 1]);
  for (std::size_t i = std::size(erfc_scaled_f64) - 1; i-- > 1;) tail = fma(tail, q, erfc_scaled_f64[i]);
  const Pair numerator = fast_two_sum(a.like(erfc_scaled_f64[0]), tail * q);
  const Pair fraction = divide(numerator, two_sum(a + a, a.like(1)));
  return scale(collapse(multiply(power.significand, fraction)), power.exponent);
}

}  // namespace

// 1 - exp(log(erfc|x|)), until that is 1. The logarithm is -(|x| + |x| p(|x|)) with small p, so that little is lost
// where it is small itself.
Expr erf_f32(Expr x) {
  const Expr magnitude = at_most(abs(x), 3.92);
  const Expr p = polynomial_by_pairs(magnitude, magnitude * magnitude, erf_log_f32);
  return copysign(one_minus_exp_f32(fma(magnitude, p, -magnitude)), x);
}

Expr erf_f64(Expr x) {
  const Expr magnitude = abs(x);
  const Expr large = copysign(1.0 - erfc_positive(clamp(magnitude, 1, 6)), x);
  return select(magnitude < 1.0, erf_small(x), large);
}

Expr erfc_f64(Expr x) {
  const Expr magnitude = abs(x);
  const Expr far = erfc_positive(magnitude);
  const Expr large = select(x < 0.0, 2.0 - far, far);
  return select(magnitude < 0.5, 1.0 - erf_small(clamp(x, -0.5, 0.5)), large);
}

}  // namespace pullback::ops::math
