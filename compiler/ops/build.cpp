#include "compiler/ops/build.h"

#include "compiler/ops/ops.h"

namespace pullback::ops {

namespace {

Value make(Value x, const OpDef& def, ir::Attributes attributes = {}) {
  return {*x.builder, x.builder->value(def, {x.value}, std::move(attributes))};
}

Value make(Value x, Value y, const OpDef& def, ir::Attributes attributes = {}) {
  return {*x.builder, x.builder->value(def, {x.value, y.value}, std::move(attributes))};
}

std::vector<ir::Value*> values_of(const std::vector<Value>& values) {
  std::vector<ir::Value*> result;
  result.reserve(values.size());
  for (const Value& v : values) result.push_back(v.value);
  return result;
}

std::vector<Value> results_of(ir::Builder& b, const ir::Op& op) {
  std::vector<Value> results;
  for (const auto& result : op.results) results.emplace_back(b, result.get());
  return results;
}

std::vector<Value> make_all(Value x, const OpDef& def, ir::Attributes attributes) {
  return results_of(*x.builder, *x.builder->create(def, {x.value}, std::move(attributes)));
}

}  // namespace

Value constant(ir::Builder& b, ir::Literal literal) {
  return {b, b.value(op_constant, {}, {{"value", std::make_shared<const ir::Literal>(std::move(literal))}})};
}

Value scalar(ir::Builder& b, DType dtype, double value) {
  return constant(b, ir::Literal::filled(dtype, {}, value));
}

Value full(ir::Builder& b, const ir::Type& type, double value) {
  return broadcast_scalar(scalar(b, type.dtype, value), type.shape);
}

Value full_like(Value x, double value) {
  return full(*x.builder, x.type(), value);
}

Value iota(ir::Builder& b, DType dtype, Shape shape, std::int64_t axis) {
  return {b, b.value(op_iota, {}, {{"dtype", dtype}, {"shape", std::move(shape)}, {"axis", axis}})};
}

Value rng_bits(Value key, Value step, std::int64_t stream, Shape shape) {
  return make(key, step, op_rng_bits, {{"stream", stream}, {"shape", std::move(shape)}});
}

Value add(Value x, Value y) {
  return make(x, y, op_add);
}
Value sub(Value x, Value y) {
  return make(x, y, op_sub);
}
Value mul(Value x, Value y) {
  return make(x, y, op_mul);
}
Value div(Value x, Value y) {
  return make(x, y, op_div);
}
Value rem(Value x, Value y) {
  return make(x, y, op_rem);
}
Value pow(Value x, Value y) {
  return make(x, y, op_pow);
}
Value atan2(Value y, Value x) {
  return make(y, x, op_atan2);
}
Value maximum(Value x, Value y) {
  return make(x, y, op_maximum);
}
Value minimum(Value x, Value y) {
  return make(x, y, op_minimum);
}
Value neg(Value x) {
  return make(x, op_neg);
}
Value abs(Value x) {
  return make(x, op_abs);
}
Value sign(Value x) {
  return make(x, op_sign);
}

Value exp(Value x) {
  return make(x, op_exp);
}
Value expm1(Value x) {
  return make(x, op_expm1);
}
Value log(Value x) {
  return make(x, op_log);
}
Value log1p(Value x) {
  return make(x, op_log1p);
}
Value log2(Value x) {
  return make(x, op_log2);
}
Value sigmoid(Value x) {
  return make(x, op_sigmoid);
}
Value erf(Value x) {
  return make(x, op_erf);
}
Value erfc(Value x) {
  return make(x, op_erfc);
}
Value sqrt(Value x) {
  return make(x, op_sqrt);
}
Value rsqrt(Value x) {
  return make(x, op_rsqrt);
}
Value cbrt(Value x) {
  return make(x, op_cbrt);
}
Value sin(Value x) {
  return make(x, op_sin);
}
Value cos(Value x) {
  return make(x, op_cos);
}
Value tan(Value x) {
  return make(x, op_tan);
}
Value asin(Value x) {
  return make(x, op_asin);
}
Value acos(Value x) {
  return make(x, op_acos);
}
Value atan(Value x) {
  return make(x, op_atan);
}
Value sinh(Value x) {
  return make(x, op_sinh);
}
Value cosh(Value x) {
  return make(x, op_cosh);
}
Value tanh(Value x) {
  return make(x, op_tanh);
}
Value asinh(Value x) {
  return make(x, op_asinh);
}
Value acosh(Value x) {
  return make(x, op_acosh);
}
Value atanh(Value x) {
  return make(x, op_atanh);
}
Value floor(Value x) {
  return make(x, op_floor);
}
Value ceil(Value x) {
  return make(x, op_ceil);
}
Value trunc(Value x) {
  return make(x, op_trunc);
}
Value round_even(Value x) {
  return make(x, op_round_even);
}

Value bit_and(Value x, Value y) {
  return make(x, y, op_and);
}
Value bit_or(Value x, Value y) {
  return make(x, y, op_or);
}
Value bit_xor(Value x, Value y) {
  return make(x, y, op_xor);
}
Value bit_not(Value x) {
  return make(x, op_not);
}
Value shift_left(Value x, Value amount) {
  return make(x, amount, op_shift_left);
}
Value shift_right(Value x, Value amount) {
  return make(x, amount, op_shift_right);
}

Value compare(Value x, Value y, const std::string& direction) {
  return make(x, y, op_compare, {{"direction", direction}});
}
Value eq(Value x, Value y) {
  return compare(x, y, "eq");
}
Value ne(Value x, Value y) {
  return compare(x, y, "ne");
}
Value lt(Value x, Value y) {
  return compare(x, y, "lt");
}
Value le(Value x, Value y) {
  return compare(x, y, "le");
}
Value gt(Value x, Value y) {
  return compare(x, y, "gt");
}
Value ge(Value x, Value y) {
  return compare(x, y, "ge");
}

Value select(Value condition, Value on_true, Value on_false) {
  ir::Builder& b = *condition.builder;
  return {b, b.value(op_select, {condition.value, on_true.value, on_false.value})};
}

Value convert(Value x, DType to) {
  return x.dtype() == to ? x : make(x, op_convert, {{"to", to}});
}
Value stop_gradient(Value x) {
  return make(x, op_stop_gradient);
}

Value broadcast(Value x, Shape shape, std::vector<std::int64_t> dimensions) {
  return make(x, op_broadcast, {{"shape", std::move(shape)}, {"dimensions", std::move(dimensions)}});
}

Value broadcast_scalar(Value x, Shape shape) {
  return shape.empty() ? x : broadcast(x, std::move(shape), {});
}

Value reshape(Value x, Shape shape) {
  return make(x, op_reshape, {{"shape", std::move(shape)}});
}

Value transpose(Value x, std::vector<std::int64_t> permutation) {
  return make(x, op_transpose, {{"permutation", std::move(permutation)}});
}

Value reverse(Value x, std::vector<std::int64_t> axes) {
  return make(x, op_reverse, {{"axes", std::move(axes)}});
}

Value slice(Value x, Shape start, Shape limit, std::vector<std::int64_t> step) {
  if (step.empty()) step.assign(x.rank(), 1);
  return make(x, op_slice, {{"start", std::move(start)}, {"limit", std::move(limit)}, {"step", std::move(step)}});
}

Value dynamic_slice(Value x, const std::vector<Value>& start, Shape sizes) {
  std::vector<ir::Value*> operands{x.value};
  for (const Value& s : start) operands.push_back(s.value);
  return {*x.builder, x.builder->value(op_dynamic_slice, std::move(operands), {{"sizes", std::move(sizes)}})};
}

Value dynamic_update_slice(Value x, Value update, const std::vector<Value>& start) {
  std::vector<ir::Value*> operands{x.value, update.value};
  for (const Value& s : start) operands.push_back(s.value);
  return {*x.builder, x.builder->value(op_dynamic_update_slice, std::move(operands))};
}

Value pad(Value x, Value value, Shape low, Shape high, std::vector<std::int64_t> interior) {
  if (interior.empty()) interior.assign(x.rank(), 0);
  return make(x, value, op_pad,
              {{"low", std::move(low)}, {"high", std::move(high)}, {"interior", std::move(interior)}});
}

Value concatenate(const std::vector<Value>& parts, std::int64_t axis) {
  if (parts.empty()) throw Error("concatenate: needs at least one tensor");
  ir::Builder& b = *parts.front().builder;
  return {b, b.value(op_concatenate, values_of(parts), {{"axis", axis}})};
}

Value gather(Value x, Value indices, std::int64_t axis, std::int64_t batch) {
  return make(x, indices, op_gather, {{"axis", axis}, {"batch", batch}});
}

static Value make_scatter(const OpDef& def, Value x, Value indices, Value updates, std::int64_t axis,
                          std::int64_t batch) {
  return {*x.builder,
          x.builder->value(def, {x.value, indices.value, updates.value}, {{"axis", axis}, {"batch", batch}})};
}

Value scatter_add(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch) {
  return make_scatter(op_scatter_add, x, indices, updates, axis, batch);
}

Value scatter(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch) {
  return make_scatter(op_scatter, x, indices, updates, axis, batch);
}

Value scatter_mul(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch) {
  return make_scatter(op_scatter_mul, x, indices, updates, axis, batch);
}

Value scatter_max(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch) {
  return make_scatter(op_scatter_max, x, indices, updates, axis, batch);
}

Value scatter_min(Value x, Value indices, Value updates, std::int64_t axis, std::int64_t batch) {
  return make_scatter(op_scatter_min, x, indices, updates, axis, batch);
}

Value cumulative_sum(Value x, std::int64_t axis, bool reverse, bool exclusive) {
  return make(x, op_cumulative_sum, {{"axis", axis}, {"reverse", reverse}, {"exclusive", exclusive}});
}

Value cumulative_prod(Value x, std::int64_t axis, bool reverse, bool exclusive) {
  return make(x, op_cumulative_prod, {{"axis", axis}, {"reverse", reverse}, {"exclusive", exclusive}});
}

std::vector<Value> cumulative_max(Value x, std::int64_t axis, bool reverse) {
  return make_all(x, op_cumulative_max, {{"axis", axis}, {"reverse", reverse}});
}

std::vector<Value> cumulative_min(Value x, std::int64_t axis, bool reverse) {
  return make_all(x, op_cumulative_min, {{"axis", axis}, {"reverse", reverse}});
}

Value linear_recurrence(Value a, Value b, std::int64_t axis, bool reverse) {
  return make(a, b, op_linear_recurrence, {{"axis", axis}, {"reverse", reverse}});
}

std::vector<Value> sort(Value x, std::int64_t axis, bool descending) {
  return make_all(x, op_sort, {{"axis", axis}, {"descending", descending}});
}

std::vector<Value> top_k(Value x, std::int64_t k, std::int64_t axis, bool largest) {
  return make_all(x, op_top_k, {{"k", k}, {"axis", axis}, {"largest", largest}});
}

Value reduce_sum(Value x, std::vector<std::int64_t> axes) {
  return axes.empty() ? x : make(x, op_reduce_sum, {{"axes", std::move(axes)}});
}
Value reduce_prod(Value x, std::vector<std::int64_t> axes) {
  return axes.empty() ? x : make(x, op_reduce_prod, {{"axes", std::move(axes)}});
}
Value reduce_max(Value x, std::vector<std::int64_t> axes) {
  return axes.empty() ? x : make(x, op_reduce_max, {{"axes", std::move(axes)}});
}
Value reduce_min(Value x, std::vector<std::int64_t> axes) {
  return axes.empty() ? x : make(x, op_reduce_min, {{"axes", std::move(axes)}});
}
Value argmax(Value x, std::int64_t axis) {
  return make(x, op_argmax, {{"axis", axis}});
}
Value argmin(Value x, std::int64_t axis) {
  return make(x, op_argmin, {{"axis", axis}});
}

Value sum_to(Value x, const Shape& shape, const std::vector<std::int64_t>& dimensions) {
  std::vector<std::int64_t> axes;
  std::size_t next = 0;  // dimensions are increasing
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const bool kept = next < dimensions.size() && dimensions[next] == static_cast<std::int64_t>(axis);
    if (!kept || shape[next] != x.size(axis)) axes.push_back(static_cast<std::int64_t>(axis));
    if (kept) ++next;
  }
  const Value sum = reduce_sum(x, axes);
  return sum.shape() == shape ? sum : reshape(sum, shape);  // stretched axes come back with size 1
}

Value dot_general(Value x, Value y, ir::AxisPairs contract, ir::AxisPairs batch) {
  return make(x, y, op_dot_general, {{"contract", std::move(contract)}, {"batch", std::move(batch)}});
}

Value matmul(Value x, Value y) {
  return dot_general(x, y, {{1}, {0}});
}

void check(Value predicate, const std::string& message, const std::vector<Value>& witnesses) {
  std::vector<ir::Value*> operands = values_of(witnesses);
  operands.insert(operands.begin(), predicate.value);
  predicate.builder->create(op_check, std::move(operands), {{"message", message}});
}

std::vector<Value> composite(ir::Builder& b, const std::string& name, const std::vector<Value>& operands,
                             std::unique_ptr<ir::Region> body, std::unique_ptr<ir::Region> gradient) {
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::move(body));
  if (gradient) regions.push_back(std::move(gradient));
  return results_of(b, *b.create(op_composite, values_of(operands), {{"name", name}}, std::move(regions)));
}

std::vector<Value> cond(Value predicate, const std::vector<Value>& operands, std::unique_ptr<ir::Region> on_true,
                        std::unique_ptr<ir::Region> on_false) {
  std::vector<ir::Value*> all = values_of(operands);
  all.insert(all.begin(), predicate.value);
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::move(on_true));
  regions.push_back(std::move(on_false));
  return results_of(*predicate.builder, *predicate.builder->create(op_cond, std::move(all), {}, std::move(regions)));
}

std::vector<Value> scan(ir::Builder& b, const ScanOperands& operands, Dim length, bool reverse,
                        std::unique_ptr<ir::Region> body) {
  std::vector<ir::Value*> all;
  for (const std::vector<Value>* list : {&operands.carries, &operands.xs, &operands.invariants})
    for (const Value& v : *list) all.push_back(v.value);
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::move(body));
  const ir::Op* op = b.create(op_scan, std::move(all),
                              {{"length", Shape{std::move(length)}},
                               {"carries", static_cast<std::int64_t>(operands.carries.size())},
                               {"slices", static_cast<std::int64_t>(operands.xs.size())},
                               {"reverse", reverse}},
                              std::move(regions));
  return results_of(b, *op);
}

std::vector<Value> barrier(const std::vector<Value>& operands) {
  ir::Builder& b = *operands.front().builder;
  return results_of(b, *b.create(op_barrier, values_of(operands)));
}

}  // namespace pullback::ops
