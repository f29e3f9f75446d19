// The functions of this folder as formulas over Expr. A name ending in _f32 or _f64 computes in that type; one without
// takes both. Functions over f32 that are missing here are computed in f64.
#pragma once

#include "compiler/ops/math/expr.h"

namespace pullback::ops::math {

// exponentials.cpp
Expr exp(Expr x);
Expr exp2(Expr x);
Expr expm1_f32(Expr x);
Expr expm1_f64(Expr x);
Expr sinh_f64(Expr x);
Expr cosh_f64(Expr x);
Expr tanh_f32(Expr x);
Expr tanh_f64(Expr x);
Expr sigmoid(Expr x);
/// 1 - exp(x) for x in [-80, 0], in error by little of exp(x) where that is small.
Expr one_minus_exp_f32(Expr x);
/// significand * 2^exponent.
struct ScaledPair {
  Pair significand;
  Expr exponent;  ///< i64, what scale() takes
};
/// exp(x.hi + x.lo) over f64 with a relative error near 2^-60; x.lo is below 2^-40.
ScaledPair exp_pair(Pair x);

// logarithms.cpp
Expr log_f32(Expr x);
Expr log_f64(Expr x);
Expr log1p_f32(Expr x);
Expr log1p_f64(Expr x);
Expr log2_f64(Expr x);
Expr log10_f64(Expr x);
Expr asinh_f64(Expr x);
Expr acosh_f64(Expr x);
Expr atanh_f64(Expr x);
/// log(x) over f64 with a relative error near 2^-65, for x > 0 and finite, subnormal too.
Pair log_pair(Expr x);

// power.cpp
Expr pow_f32(Expr x, Expr y);
Expr pow_f64(Expr x, Expr y);
Expr cbrt_f64(Expr x);

// trigonometry.cpp; *_full_f64 are slow and take every |x| >= 1, the others call them beyond a limit.
Expr sin_f32(Expr x);
Expr cos_f32(Expr x);
Expr sin_f64(Expr x);
Expr cos_f64(Expr x);
Expr tan_f64(Expr x);
Expr sin_full_f64(Expr x);
Expr cos_full_f64(Expr x);
Expr tan_full_f64(Expr x);

// large_arguments.cpp
/// x = (quadrant + (r.hi + r.lo) * 2/pi) * pi/2 modulo 2 pi, |r| <= pi/4 or a rounding more.
struct Quadrant {
  Expr quadrant;  ///< an i64, of which the lowest two bits count
  Pair r;
};
/// For every finite |x| >= 1, by Payne and Hanek's method.
Quadrant reduce_large(Expr x);

// inverse_trigonometry.cpp
Expr asin_f64(Expr x);
Expr acos_f64(Expr x);
Expr atan_f64(Expr x);
Expr atan2_f64(Expr y, Expr x);

// error_functions.cpp
Expr erf_f32(Expr x);
Expr erf_f64(Expr x);
Expr erfc_f64(Expr x);

}  // namespace pullback::ops::math
