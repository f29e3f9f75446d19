// Writes ops: one typed function for each primitive, and operators on Value, a tensor together with the place where the
// next op goes. Shapes and dtypes of operands must agree as the ops demand; nothing is broadcast or converted but
// numbers, which take the type and shape of the tensor beside them. Functions throw Error as the op's shape rule does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/builder.h"

namespace pullback::ops {

/// A tensor and the builder that appends what is computed from it.
struct Value {
  ir::Builder* builder = nullptr;
  ir::Value* value = nullptr;

  Value() = default;
  Value(ir::Builder& where, ir::Value* what) : builder(&where), value(what) {}
  explicit operator bool() const { return value != nullptr; }

  const ir::Type& type() const { return value->type; }
  DType dtype() const { return value->type.dtype; }
  const Shape& shape() const { return value->type.shape; }
  std::size_t rank() const { return value->type.shape.size(); }
  const Dim& size(std::size_t axis) const { return value->type.shape[axis]; }
};

// Creation.
Value constant(ir::Builder& b, ir::Literal literal);
/// A scalar.
Value scalar(ir::Builder& b, DType dtype, double value);
/// A scalar constant broadcast to the type's shape.
Value full(ir::Builder& b, const ir::Type& type, double value);
Value full_like(Value x, double value);
/// 0, 1, 2, ... along `axis`.
Value iota(ir::Builder& b, DType dtype, Shape shape, std::int64_t axis);
/// u32 random bits; key: u32[2], step: u32, i32 or i64 scalar.
Value rng_bits(Value key, Value step, std::int64_t stream, Shape shape);

// Elementwise arithmetic. Integer division truncates; x/0 = -1, x rem 0 = x.
Value add(Value x, Value y);
Value sub(Value x, Value y);
Value mul(Value x, Value y);
Value div(Value x, Value y);
Value rem(Value x, Value y);  ///< sign of x
Value pow(Value x, Value y);
Value atan2(Value y, Value x);
Value maximum(Value x, Value y);  ///< NaN wins
Value minimum(Value x, Value y);
Value neg(Value x);
Value abs(Value x);
Value sign(Value x);  ///< -1, 0, 1; NaN stays

// Elementwise functions of floating tensors.
Value exp(Value x);
Value expm1(Value x);
Value log(Value x);
Value log1p(Value x);
Value log2(Value x);
Value sigmoid(Value x);
Value erf(Value x);
Value erfc(Value x);
Value sqrt(Value x);
Value rsqrt(Value x);
Value cbrt(Value x);
Value sin(Value x);
Value cos(Value x);
Value tan(Value x);
Value asin(Value x);
Value acos(Value x);
Value atan(Value x);
Value sinh(Value x);
Value cosh(Value x);
Value tanh(Value x);
Value asinh(Value x);
Value acosh(Value x);
Value atanh(Value x);
Value floor(Value x);
Value ceil(Value x);
Value trunc(Value x);
Value round_even(Value x);

// Bits: bool (logical) and integers.
Value bit_and(Value x, Value y);
Value bit_or(Value x, Value y);
Value bit_xor(Value x, Value y);
Value bit_not(Value x);
Value shift_left(Value x, Value amount);
Value shift_right(Value x, Value amount);  ///< keeps the sign of signed integers

// Comparison (bool results) and choice.
Value compare(Value x, Value y, const std::string& direction);  ///< "eq", "ne", "lt", "le", "gt", "ge"
Value eq(Value x, Value y);
Value ne(Value x, Value y);
Value lt(Value x, Value y);
Value le(Value x, Value y);
Value gt(Value x, Value y);
Value ge(Value x, Value y);
Value select(Value condition, Value on_true, Value on_false);
Value convert(Value x, DType to);  ///< x itself when it has that dtype
Value stop_gradient(Value x);

// Shape.
/// Axis i of x becomes axis dimensions[i] of the result; axes of size 1 stretch.
Value broadcast(Value x, Shape shape, std::vector<std::int64_t> dimensions);
/// A scalar everywhere.
Value broadcast_scalar(Value x, Shape shape);
Value reshape(Value x, Shape shape);
/// Axis i of the result is axis permutation[i] of x.
Value transpose(Value x, std::vector<std::int64_t> permutation);
Value reverse(Value x, std::vector<std::int64_t> axes);
/// Elements start, start+step, ... below limit, on every axis.
Value slice(Value x, Shape start, Shape limit, std::vector<std::int64_t> step = {});
/// start: one i32 or i64 scalar for each axis, clamped so that the slice lies within x.
Value dynamic_slice(Value x, const std::vector<Value>& start, Shape sizes);
Value dynamic_update_slice(Value x, Value update, const std::vector<Value>& start);
/// `value` (a scalar) around x and, `interior` times, between its elements. Negative low and high crop.
Value pad(Value x, Value value, Shape low, Shape high, std::vector<std::int64_t> interior = {});
Value concatenate(const std::vector<Value>& parts, std::int64_t axis);
/// x[..., indices, ...] at `axis`. The first `batch` axes of x and indices go together. Indices (i32 or i64) are
/// clamped. x:[B..., P..., N, S...] indices:[B..., I...] -> [B..., P..., I..., S...]
Value gather(Value x, Value indices, std::int64_t axis, std::int64_t batch = 0);
/// x with updates added at indices: the gradient of gather, shapes as there. Indices are clamped.
Value scatter_add(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch = 0);
/// The same with updates that replace (the last of equal indices), multiply, or win when larger or smaller.
Value scatter(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch = 0);
Value scatter_mul(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch = 0);
Value scatter_max(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch = 0);
Value scatter_min(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch = 0);

// Along an axis.
/// Sums of the elements up to each one, without itself when `exclusive`, from the end when `reverse`.
Value cumulative_sum(Value x, std::int64_t axis, bool reverse = false, bool exclusive = false);
Value cumulative_prod(Value x, std::int64_t axis, bool reverse = false, bool exclusive = false);
/// {values, i64 positions}: the latest of equals; a NaN is the extremum.
std::vector<Value> cumulative_max(Value x, std::int64_t axis, bool reverse = false);
std::vector<Value> cumulative_min(Value x, std::int64_t axis, bool reverse = false);
/// y_i = a_i * y_{i-1} + b_i, from 0.
Value linear_recurrence(Value a, Value b, std::int64_t axis, bool reverse = false);
/// {values, i64 positions}, stable; NaN is the largest.
std::vector<Value> sort(Value x, std::int64_t axis, bool descending = false);
/// {values, i64 positions} of the first k elements that sort gives.
std::vector<Value> top_k(Value x, std::int64_t k, std::int64_t axis, bool largest = true);

// Reductions over axes, which disappear.
Value reduce_sum(Value x, std::vector<std::int64_t> axes);
Value reduce_prod(Value x, std::vector<std::int64_t> axes);
Value reduce_max(Value x, std::vector<std::int64_t> axes);
Value reduce_min(Value x, std::vector<std::int64_t> axes);
Value argmax(Value x, std::int64_t axis);  ///< i64, the first of equals; NaN counts as largest
Value argmin(Value x, std::int64_t axis);
/// Sums x over the axes that `broadcast` with these arguments made or stretched: what brings a gradient back to
/// `shape`.
Value sum_to(Value x, const Shape& shape, const std::vector<std::int64_t>& dimensions);

/// [batch..., free axes of x..., free axes of y...]
Value dot_general(Value x, Value y, ir::AxisPairs contract, ir::AxisPairs batch = {});
/// x:[M,K] y:[K,N] -> [M,N]
Value matmul(Value x, Value y);

// Control.
/// Fails the step unless `predicate` (a bool scalar) holds. `message` has one {} for each witness (a scalar).
void check(Value predicate, const std::string& message, const std::vector<Value>& witnesses = {});
/// A named group of ops with one meaning, the region's. `gradient` may be null; see op_composite.
std::vector<Value> composite(ir::Builder& b, const std::string& name, const std::vector<Value>& operands,
                             std::unique_ptr<ir::Region> body, std::unique_ptr<ir::Region> gradient = nullptr);
/// Runs one of two regions over the operands.
std::vector<Value> cond(Value predicate, const std::vector<Value>& operands, std::unique_ptr<ir::Region> on_true,
                        std::unique_ptr<ir::Region> on_false);
/// What a scan is given: see op_scan. The body takes carries, one slice of each of xs, and invariants; it gives new
/// carries and what is stacked.
struct ScanOperands {
  std::vector<Value> carries, xs, invariants;
};
/// The last carries, then what was stacked.
std::vector<Value> scan(ir::Builder& b, const ScanOperands& operands, Dim length, bool reverse,
                        std::unique_ptr<ir::Region> body);
/// The operands, of which the optimizer does not know that the results are they.
std::vector<Value> barrier(const std::vector<Value>& operands);

// Operators.
inline Value operator+(Value x, Value y) {
  return add(x, y);
}
inline Value operator-(Value x, Value y) {
  return sub(x, y);
}
inline Value operator*(Value x, Value y) {
  return mul(x, y);
}
inline Value operator/(Value x, Value y) {
  return div(x, y);
}
inline Value operator-(Value x) {
  return neg(x);
}
inline Value operator+(Value x, double y) {
  return add(x, full_like(x, y));
}
inline Value operator-(Value x, double y) {
  return sub(x, full_like(x, y));
}
inline Value operator*(Value x, double y) {
  return mul(x, full_like(x, y));
}
inline Value operator/(Value x, double y) {
  return div(x, full_like(x, y));
}
inline Value operator+(double x, Value y) {
  return add(full_like(y, x), y);
}
inline Value operator-(double x, Value y) {
  return sub(full_like(y, x), y);
}
inline Value operator*(double x, Value y) {
  return mul(full_like(y, x), y);
}
inline Value operator/(double x, Value y) {
  return div(full_like(y, x), y);
}

}  // namespace pullback::ops
