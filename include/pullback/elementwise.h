// Functions of each element: arithmetic, comparisons, choice, transcendental functions, conversion.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

// --- Elementwise, of two operands that broadcast by NumPy's rules ---
Tensor add(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor sub(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor mul(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor div(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// The remainder of truncated division; it has the sign of `a`.
Tensor rem(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor pow(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor atan2(const Operand& y, const Operand& x, SourceLocation where = SourceLocation::current());
/// NaN when either is NaN. At ties the gradient is split evenly.
Tensor maximum(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor minimum(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());

// --- Comparisons give bool tensors; no gradient flows through them ---
Tensor equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor not_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor less(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor less_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor greater(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor greater_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// condition ? a : b, elementwise; all three broadcast.
Tensor where(const Tensor& condition, const Operand& a, const Operand& b,
             SourceLocation at = SourceLocation::current());
/// min(max(x, low), high). The gradient is 1 inside [low, high], 0 outside.
Tensor clamp(const Tensor& x, double low, double high, SourceLocation where = SourceLocation::current());

// --- Elementwise, of one tensor ---
Tensor neg(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor abs(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sign(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor square(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor exp(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor expm1(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log1p(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sqrt(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor rsqrt(const Tensor& x, SourceLocation where = SourceLocation::current());
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
Tensor floor(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor ceil(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor round_even(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor trunc(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor logical_not(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Converts each element: floats round to nearest even; float to integer truncates and saturates, NaN becomes 0.
Tensor cast(const Tensor& x, DType dtype, SourceLocation where = SourceLocation::current());
/// The same number; its gradient is zero.
Tensor stop_gradient(const Tensor& x, SourceLocation where = SourceLocation::current());

}  // namespace pullback
