// Elementwise arithmetic, comparisons, and the operators that spell them.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"
#include "compiler/ops/ops.h"

namespace pullback {

using detail::Operands;

static Tensor binary(const ops::OpDef& def, const Operand& a, const Operand& b, const SourceLocation& where) {
  return Operands(def.name, {&a, &b}, where).create(def);
}

static Tensor compare(const char* op, const char* direction, const Operand& a, const Operand& b,
                      const SourceLocation& where) {
  return Operands(op, {&a, &b}, where).create(ops::op_compare, {{"direction", std::string(direction)}});
}

static Tensor unary(const char* op, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  return x.trace()->create(op, {x}, {}, x.trace()->line(where));
}

static Tensor unary_float(const char* op, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  detail::require_float(op, x, x.trace()->line(where));
  return unary(op, x, where);
}

Tensor add(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_add, a, b, where);
}
Tensor sub(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_sub, a, b, where);
}
Tensor mul(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_mul, a, b, where);
}
Tensor div(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_div, a, b, where);
}
Tensor rem(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_rem, a, b, where);
}
Tensor atan2(const Operand& y, const Operand& x, SourceLocation where) {
  return binary(ops::op_atan2, y, x, where);
}
Tensor maximum(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_maximum, a, b, where);
}
Tensor minimum(const Operand& a, const Operand& b, SourceLocation where) {
  return binary(ops::op_minimum, a, b, where);
}

Tensor equal(const Operand& a, const Operand& b, SourceLocation where) {
  return compare("equal", "eq", a, b, where);
}
Tensor not_equal(const Operand& a, const Operand& b, SourceLocation where) {
  return compare("not_equal", "ne", a, b, where);
}
Tensor less(const Operand& a, const Operand& b, SourceLocation where) {
  return compare("less", "lt", a, b, where);
}
Tensor less_equal(const Operand& a, const Operand& b, SourceLocation where) {
  return compare("less_equal", "le", a, b, where);
}
Tensor greater(const Operand& a, const Operand& b, SourceLocation where) {
  return compare("greater", "gt", a, b, where);
}
Tensor greater_equal(const Operand& a, const Operand& b, SourceLocation where) {
  return compare("greater_equal", "ge", a, b, where);
}

Tensor where(const Tensor& condition, const Operand& a, const Operand& b, SourceLocation at) {
  detail::require_defined("where", condition, at);
  const SourceLine line = condition.trace()->line(at);
  if (condition.dtype() != boolean)
    detail::fail("where", fmt::format("the condition is {}, not bool: compare it first", condition.type_string()),
                 line);
  if (!a.is_tensor() && !b.is_tensor()) {
    const bool real = a.kind() == Operand::Kind::real || b.kind() == Operand::Kind::real;
    const Operand mask(condition, at);
    std::vector<Tensor> parts = Operands("where", {&mask, &a, &b}, at).broadcast(real ? f32 : i64);
    return condition.trace()->create("select", parts, {}, line);
  }
  // The branches agree in dtype; then all three in shape.
  std::vector<Tensor> branches = Operands("where", {&a, &b}, at).unified();
  const Operand mask(condition, at), chosen(branches[0], at), other(branches[1], at);
  std::vector<Tensor> parts = Operands("where", {&mask, &chosen, &other}, at).broadcast(branches[0].dtype());
  return condition.trace()->create("select", parts, {}, line);
}

Tensor neg(const Tensor& x, SourceLocation where) {
  return unary("neg", x, where);
}
Tensor abs(const Tensor& x, SourceLocation where) {
  return unary("abs", x, where);
}
Tensor sign(const Tensor& x, SourceLocation where) {
  return unary("sign", x, where);
}
Tensor square(const Tensor& x, SourceLocation where) {
  return binary(ops::op_mul, {x, where}, {x, where}, where);
}
Tensor exp(const Tensor& x, SourceLocation where) {
  return unary_float("exp", x, where);
}
Tensor expm1(const Tensor& x, SourceLocation where) {
  return unary_float("expm1", x, where);
}
Tensor log(const Tensor& x, SourceLocation where) {
  return unary_float("log", x, where);
}
Tensor log1p(const Tensor& x, SourceLocation where) {
  return unary_float("log1p", x, where);
}
Tensor log2(const Tensor& x, SourceLocation where) {
  return unary_float("log2", x, where);
}
Tensor sqrt(const Tensor& x, SourceLocation where) {
  return unary_float("sqrt", x, where);
}
Tensor rsqrt(const Tensor& x, SourceLocation where) {
  return unary_float("rsqrt", x, where);
}
Tensor cbrt(const Tensor& x, SourceLocation where) {
  return unary_float("cbrt", x, where);
}
Tensor sin(const Tensor& x, SourceLocation where) {
  return unary_float("sin", x, where);
}
Tensor cos(const Tensor& x, SourceLocation where) {
  return unary_float("cos", x, where);
}
Tensor tan(const Tensor& x, SourceLocation where) {
  return unary_float("tan", x, where);
}
Tensor asin(const Tensor& x, SourceLocation where) {
  return unary_float("asin", x, where);
}
Tensor acos(const Tensor& x, SourceLocation where) {
  return unary_float("acos", x, where);
}
Tensor atan(const Tensor& x, SourceLocation where) {
  return unary_float("atan", x, where);
}
Tensor sinh(const Tensor& x, SourceLocation where) {
  return unary_float("sinh", x, where);
}
Tensor cosh(const Tensor& x, SourceLocation where) {
  return unary_float("cosh", x, where);
}
Tensor tanh(const Tensor& x, SourceLocation where) {
  return unary_float("tanh", x, where);
}
Tensor asinh(const Tensor& x, SourceLocation where) {
  return unary_float("asinh", x, where);
}
Tensor acosh(const Tensor& x, SourceLocation where) {
  return unary_float("acosh", x, where);
}
Tensor atanh(const Tensor& x, SourceLocation where) {
  return unary_float("atanh", x, where);
}
Tensor erf(const Tensor& x, SourceLocation where) {
  return unary_float("erf", x, where);
}
Tensor erfc(const Tensor& x, SourceLocation where) {
  return unary_float("erfc", x, where);
}
Tensor floor(const Tensor& x, SourceLocation where) {
  return unary_float("floor", x, where);
}
Tensor ceil(const Tensor& x, SourceLocation where) {
  return unary_float("ceil", x, where);
}
Tensor round_even(const Tensor& x, SourceLocation where) {
  return unary_float("round_even", x, where);
}
Tensor trunc(const Tensor& x, SourceLocation where) {
  return unary_float("trunc", x, where);
}
Tensor logical_not(const Tensor& x, SourceLocation where) {
  return unary("not", x, where);
}
Tensor stop_gradient(const Tensor& x, SourceLocation where) {
  return unary("stop_gradient", x, where);
}

Tensor cast(const Tensor& x, DType dtype, SourceLocation where) {
  detail::require_defined("cast", x, where);
  if (x.dtype() == dtype) return x;
  return x.trace()->create("convert", {x}, {{"to", dtype}}, x.trace()->line(where));
}

Tensor operator+(const Operand& a, const Operand& b) {
  return add(a, b, a.where());
}
Tensor operator-(const Operand& a, const Operand& b) {
  return sub(a, b, a.where());
}
Tensor operator*(const Operand& a, const Operand& b) {
  return mul(a, b, a.where());
}
Tensor operator/(const Operand& a, const Operand& b) {
  return div(a, b, a.where());
}
Tensor operator%(const Operand& a, const Operand& b) {
  return rem(a, b, a.where());
}
Tensor operator-(const Operand& a) {
  return neg(a.tensor(), a.where());
}
Tensor operator<(const Operand& a, const Operand& b) {
  return less(a, b, a.where());
}
Tensor operator<=(const Operand& a, const Operand& b) {
  return less_equal(a, b, a.where());
}
Tensor operator>(const Operand& a, const Operand& b) {
  return greater(a, b, a.where());
}
Tensor operator>=(const Operand& a, const Operand& b) {
  return greater_equal(a, b, a.where());
}
Tensor operator&(const Operand& a, const Operand& b) {
  return binary(ops::op_and, a, b, a.where());
}
Tensor operator|(const Operand& a, const Operand& b) {
  return binary(ops::op_or, a, b, a.where());
}
Tensor operator^(const Operand& a, const Operand& b) {
  return binary(ops::op_xor, a, b, a.where());
}
Tensor operator!(const Operand& a) {
  return logical_not(a.tensor(), a.where());
}
Tensor operator~(const Operand& a) {
  return logical_not(a.tensor(), a.where());
}
Tensor operator<<(const Operand& a, const Operand& b) {
  return binary(ops::op_shift_left, a, b, a.where());
}
Tensor operator>>(const Operand& a, const Operand& b) {
  return binary(ops::op_shift_right, a, b, a.where());
}

}  // namespace pullback
