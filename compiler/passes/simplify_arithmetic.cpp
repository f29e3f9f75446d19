// Identities of arithmetic, exact for every operand: NaN, infinities and both zeros. Integers wrap around.
#include <cmath>

#include "compiler/ops/build.h"
#include "compiler/passes/match.h"
#include "compiler/passes/simplify.h"

namespace pullback::passes {
namespace {

using ir::Builder;
using ir::Op;
using ir::Value;

bool floating(const Op& op) {
  return is_float(op.operand(0)->type.dtype);
}
Value* neg(Builder& b, Value* x) {
  return ops::neg({b, x}).value;
}

Value* add_zero(const Op& op, Builder&) {
  // x + (+0) is no identity: -0 + +0 = +0.
  return is_splat_of(op.operand(1), floating(op) ? -0.0 : 0.0) ? op.operand(0) : nullptr;
}
Value* add_negation(const Op& op, Builder& b) {
  if (const Op* y = made_by(op.operand(1), ops::op_neg)) return ops::sub({b, op.operand(0)}, {b, y->operand(0)}).value;
  if (const Op* x = made_by(op.operand(0), ops::op_neg)) return ops::sub({b, op.operand(1)}, {b, x->operand(0)}).value;
  return nullptr;
}
Value* subtract_zero(const Op& op, Builder&) {
  return is_splat_of(op.operand(1), 0.0) ? op.operand(0) : nullptr;
}
Value* subtract_negation(const Op& op, Builder& b) {
  const Op* y = made_by(op.operand(1), ops::op_neg);
  return y ? ops::add({b, op.operand(0)}, {b, y->operand(0)}).value : nullptr;
}
Value* subtract_itself(const Op& op, Builder& b) {
  const bool zero = op.operand(0) == op.operand(1) && !floating(op);  // infinity - infinity is NaN
  return zero ? ops::full(b, op.result()->type, 0).value : nullptr;
}
Value* subtract_from_negative_zero(const Op& op, Builder& b) {
  return is_splat_of(op.operand(0), floating(op) ? -0.0 : 0.0) ? neg(b, op.operand(1)) : nullptr;
}

Value* times_one(const Op& op, Builder&) {
  return is_splat_of(op.operand(1), 1) ? op.operand(0) : nullptr;
}
Value* times_minus_one(const Op& op, Builder& b) {
  const bool match = is_signed(op.operand(0)->type.dtype) && is_splat_of(op.operand(1), -1);
  return match ? neg(b, op.operand(0)) : nullptr;
}
Value* times_zero(const Op& op, Builder&) {
  // Not for floating x: infinity * 0 is NaN, and -1 * 0 is -0.
  return !floating(op) && is_splat_of(op.operand(1), 0) ? op.operand(1) : nullptr;
}
Value* times_negations(const Op& op, Builder& b) {
  const Op* x = made_by(op.operand(0), ops::op_neg);
  const Op* y = made_by(op.operand(1), ops::op_neg);
  return x && y ? ops::mul({b, x->operand(0)}, {b, y->operand(0)}).value : nullptr;
}

Value* divided_by_one(const Op& op, Builder&) {
  return is_splat_of(op.operand(1), 1) ? op.operand(0) : nullptr;
}
Value* divided_by_power_of_two(const Op& op, Builder& b) {
  if (!floating(op)) return nullptr;
  const std::optional<ir::Literal> divisor = splat_of(op.operand(1));
  if (!divisor) return nullptr;
  const double number = divisor->as_double(0);
  int exponent = 0;
  const double fraction = std::frexp(number, &exponent);
  // Both the divisor and its inverse must be normal numbers of the type; 2^14 bounds the narrowest, f16.
  if (std::abs(fraction) != 0.5 || exponent < -12 || exponent > 14) return nullptr;
  return ops::mul({b, op.operand(0)}, ops::full(b, op.result()->type, 1 / number)).value;
}
Value* remainder_of_one(const Op& op, Builder& b) {
  const bool match = !floating(op) && is_splat_of(op.operand(1), 1);
  return match ? ops::full(b, op.result()->type, 0).value : nullptr;
}

Value* negated_twice(const Op& op, Builder&) {
  const Op* inner = made_by(op.operand(0), ops::op_neg);
  return inner ? inner->operand(0) : nullptr;
}
Value* absolute_of_negation(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_neg);
  return inner && is_signed(op.result()->type.dtype) ? ops::abs({b, inner->operand(0)}).value : nullptr;
}
/// f(f(x)) = f(x): abs, floor, ceil, trunc, round_even, sign.
Value* applied_twice(const Op& op, Builder&) {
  return made_by(op.operand(0), *op.def) ? op.operand(0) : nullptr;
}

/// maximum(x, x) = x, and the like.
Value* of_itself(const Op& op, Builder&) {
  return op.operand(0) == op.operand(1) ? op.operand(0) : nullptr;
}

Value* power_of_small_integer(const Op& op, Builder& b) {
  if (!floating(op)) return nullptr;
  const ops::Value x(b, op.operand(0));
  if (is_splat_of(op.operand(1), 0.0)) return ops::full_like(x, 1).value;  // also of NaN, as IEEE 754 says
  if (is_splat_of(op.operand(1), 1)) return x.value;
  if (is_splat_of(op.operand(1), 2)) return ops::mul(x, x).value;
  if (is_splat_of(op.operand(1), -1)) return ops::div(ops::full_like(x, 1), x).value;
  return nullptr;
}

}  // namespace

std::span<const SimplifyRule> arithmetic_rules() {
  static const SimplifyRule table[] = {
      {&ops::op_add, "x + -0 = x", add_zero},
      {&ops::op_add, "x + -y = x - y", add_negation},
      {&ops::op_sub, "x - 0 = x", subtract_zero},
      {&ops::op_sub, "x - -y = x + y", subtract_negation},
      {&ops::op_sub, "x - x = 0 for integers", subtract_itself},
      {&ops::op_sub, "-0 - x = -x", subtract_from_negative_zero},
      {&ops::op_mul, "x * 1 = x", times_one},
      {&ops::op_mul, "x * -1 = -x", times_minus_one},
      {&ops::op_mul, "x * 0 = 0 for integers", times_zero},
      {&ops::op_mul, "-x * -y = x * y", times_negations},
      {&ops::op_div, "x / 1 = x", divided_by_one},
      {&ops::op_div, "x / 2^n = x * 2^-n", divided_by_power_of_two},
      {&ops::op_rem, "x rem 1 = 0 for integers", remainder_of_one},
      {&ops::op_neg, "--x = x", negated_twice},
      {&ops::op_abs, "|-x| = |x|", absolute_of_negation},
      {&ops::op_abs, "||x|| = |x|", applied_twice},
      {&ops::op_sign, "sign(sign(x)) = sign(x)", applied_twice},
      {&ops::op_floor, "floor(floor(x)) = floor(x)", applied_twice},
      {&ops::op_ceil, "ceil(ceil(x)) = ceil(x)", applied_twice},
      {&ops::op_trunc, "trunc(trunc(x)) = trunc(x)", applied_twice},
      {&ops::op_round_even, "round_even(round_even(x)) = round_even(x)", applied_twice},
      {&ops::op_maximum, "maximum(x, x) = x", of_itself},
      {&ops::op_minimum, "minimum(x, x) = x", of_itself},
      {&ops::op_pow, "x^0 = 1, x^1 = x, x^2 = x * x, x^-1 = 1 / x", power_of_small_integer},
  };
  return table;
}

}  // namespace pullback::passes
