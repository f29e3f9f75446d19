// dot_general: sums of products over paired axes; matmul, batched matmul, outer and inner products are its cases.
#include <algorithm>

#include <fmt/format.h>

#include "compiler/ops/contraction.h"
#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;
using Role = ContractionSpec::Role;

// The axes of both operands by what they are. The result has axes batch, lhs_free, rhs_free.
struct Axes {
  Integers lhs_batch, rhs_batch, lhs_contract, rhs_contract, lhs_free, rhs_free;

  explicit Axes(const ir::Op& op)
      : lhs_batch(op.attributes.pairs("batch").lhs),
        rhs_batch(op.attributes.pairs("batch").rhs),
        lhs_contract(op.attributes.pairs("contract").lhs),
        rhs_contract(op.attributes.pairs("contract").rhs),
        lhs_free(rest(op.operand(0)->type.rank(), lhs_batch, lhs_contract)),
        rhs_free(rest(op.operand(1)->type.rank(), rhs_batch, rhs_contract)) {}

  // Positions of the free axes in the result.
  Integers lhs_free_out() const { return range(lhs_batch.size(), lhs_free.size()); }
  Integers rhs_free_out() const { return range(lhs_batch.size() + lhs_free.size(), rhs_free.size()); }
  Integers batch_out() const { return range(0, lhs_batch.size()); }

 private:
  static bool has(const Integers& axes, std::int64_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  }
  static Integers rest(std::size_t rank, const Integers& a, const Integers& b) {
    Integers result;
    for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(rank); ++axis)
      if (!has(a, axis) && !has(b, axis)) result.push_back(axis);
    return result;
  }
  static Integers range(std::size_t first, std::size_t count) {
    Integers result;
    for (std::size_t i = 0; i < count; ++i) result.push_back(static_cast<std::int64_t>(first + i));
    return result;
  }
};

void check_pairs(const InferContext& c, const ir::AxisPairs& pairs, const std::string& what) {
  if (pairs.lhs.size() != pairs.rhs.size())
    c.fail(fmt::format("{} pairs {} axes with {}", what, pairs.lhs.size(), pairs.rhs.size()));
  for (std::size_t i = 0; i < pairs.lhs.size(); ++i) {
    c.require_axis(pairs.lhs[i], c.rank(0), what);
    c.require_axis(pairs.rhs[i], c.rank(1), what);
    const Dim &x = c.shape(0)[static_cast<std::size_t>(pairs.lhs[i])],
              &y = c.shape(1)[static_cast<std::size_t>(pairs.rhs[i])];
    if (x != y)
      c.fail(fmt::format("{} sizes {} (axis {} of the first) and {} (axis {} of the second) differ", what,
                         x.to_string(), pairs.lhs[i], y.to_string(), pairs.rhs[i]));
  }
}

std::vector<ir::Type> infer_dot(const InferContext& c) {
  c.require_number(0);
  c.require_same_dtype(0, 1);
  const auto& contract = c.attribute<ir::AxisPairs>("contract");
  const auto& batch = c.attribute<ir::AxisPairs>("batch");
  check_pairs(c, contract, "contract");
  check_pairs(c, batch, "batch");
  const auto joined = [](Integers a, const Integers& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  c.require_axes(joined(batch.lhs, contract.lhs), c.rank(0), "batch and contract");
  c.require_axes(joined(batch.rhs, contract.rhs), c.rank(1), "batch and contract");
  const Axes axes(c.op());
  Shape shape;
  for (const std::int64_t axis : joined(axes.lhs_batch, axes.lhs_free)) shape.push_back(c.shape(0)[axis]);
  for (const std::int64_t axis : axes.rhs_free) shape.push_back(c.shape(1)[axis]);
  return {{c.dtype(0), shape}};
}

// `order` names the axis of the wanted tensor that each axis of x is.
Value arrange(Value x, const Integers& order) {
  Integers permutation(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    permutation[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  return std::is_sorted(order.begin(), order.end()) ? x : transpose(x, permutation);
}

Integers joined(std::initializer_list<Integers> parts) {
  Integers result;
  for (const Integers& part : parts) result.insert(result.end(), part.begin(), part.end());
  return result;
}

// The axes of one operand that are contracted, in the order of their partners: what remains of the partner operand when
// its free axes are contracted.
Integers by_partner(Integers own, const Integers& partner) {
  std::vector<std::size_t> order(own.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return partner[a] < partner[b]; });
  Integers result;
  for (const std::size_t i : order) result.push_back(own[i]);
  return result;
}

// y[b,m,n] = sum_k x[b,m,k] w[b,k,n]:  dx[b,m,k] = sum_n g[b,m,n] w[b,k,n],  dw[b,k,n] = sum_m x[b,m,k] g[b,m,n].
void dot_vjp(GradContext& c) {
  const Axes axes(c.op());
  const Value x = c.operand(0), w = c.operand(1), g = c.out_grad();
  if (c.needs_grad(0)) {
    const Value dx = dot_general(g, w, {axes.rhs_free_out(), axes.rhs_free}, {axes.batch_out(), axes.rhs_batch});
    c.add_grad(0,
               arrange(dx, joined({axes.lhs_batch, axes.lhs_free, by_partner(axes.lhs_contract, axes.rhs_contract)})));
  }
  if (c.needs_grad(1)) {
    const Value dw = dot_general(x, g, {axes.lhs_free, axes.lhs_free_out()}, {axes.lhs_batch, axes.batch_out()});
    c.add_grad(1,
               arrange(dw, joined({axes.rhs_batch, by_partner(axes.rhs_contract, axes.lhs_contract), axes.rhs_free})));
  }
}

ContractionSpec dot_contraction(const ir::Op& op) {
  const Axes axes(op);
  const std::vector<std::int64_t> lhs = ir::static_dims(op.operand(0)->type.shape);
  const std::vector<std::int64_t> rhs = ir::static_dims(op.operand(1)->type.shape);
  ContractionSpec spec;
  spec.accumulate = op.result()->type.dtype == DType::f64 ? DType::f64 : DType::f32;
  spec.a = {lhs, std::vector<ContractionSpec::Coordinate>(lhs.size())};
  spec.b = {rhs, std::vector<ContractionSpec::Coordinate>(rhs.size())};
  spec.c.sizes = ir::static_dims(op.result()->type.shape);
  const auto add = [&](Role role, std::int64_t a_axis, std::int64_t b_axis) {
    const ContractionSpec::Coordinate here{0, {{spec.dimensions.size(), 1}}};
    if (a_axis >= 0) spec.a.coordinates[static_cast<std::size_t>(a_axis)] = here;
    if (b_axis >= 0) spec.b.coordinates[static_cast<std::size_t>(b_axis)] = here;
    if (role != Role::k) spec.c.coordinates.push_back(here);
    spec.dimensions.push_back(
        {role, a_axis >= 0 ? lhs[static_cast<std::size_t>(a_axis)] : rhs[static_cast<std::size_t>(b_axis)]});
  };
  for (std::size_t i = 0; i < axes.lhs_batch.size(); ++i) add(Role::batch, axes.lhs_batch[i], axes.rhs_batch[i]);
  for (const std::int64_t axis : axes.lhs_free) add(Role::m, axis, -1);
  for (const std::int64_t axis : axes.rhs_free) add(Role::n, -1, axis);
  const Integers lhs_contract = by_partner(axes.lhs_contract, axes.lhs_contract);  // in A's order
  const Integers rhs_contract = by_partner(axes.rhs_contract, axes.lhs_contract);
  for (std::size_t i = 0; i < lhs_contract.size(); ++i) add(Role::k, lhs_contract[i], rhs_contract[i]);
  return spec;
}

// An operand's index for the loop dimensions that its map refers to.
template <class T>
std::vector<T> coordinates(const ContractionSpec::Map& map, const std::vector<T>& loops) {
  std::vector<T> result;
  for (const ContractionSpec::Coordinate& coordinate : map.coordinates)
    result.push_back(loops[coordinate.terms.front().dimension]);
  return result;
}

std::vector<std::int64_t> depths(const ContractionSpec& spec) {
  std::vector<std::int64_t> result;
  for (const ContractionSpec::Dimension& d : spec.dimensions)
    if (d.role == Role::k) result.push_back(d.size);
  return result;
}

// The plain fallback: one sum for each element.
kernel::Value* lower_dot(LowerContext& c) {
  kernel::Builder& b = c.build();
  const ContractionSpec spec = dot_contraction(c.op());
  const DType dtype = c.op().result()->type.dtype;
  const DType wide = is_float(dtype) ? spec.accumulate : dtype;
  const Indices outer = c.indices();
  kernel::Value* sum = c.reduce(depths(spec), kernel::Combine::add, wide, [&](const Indices& inner) {
    Indices loops = outer;
    loops.insert(loops.end(), inner.begin(), inner.end());
    kernel::Value* x = b.convert(c.read(0, coordinates(spec.a, loops)), wide);
    return b.mul(x, b.convert(c.read(1, coordinates(spec.b, loops)), wide));
  });
  return b.convert(sum, dtype);
}

void eval_dot(EvalContext& c) {
  const ContractionSpec spec = dot_contraction(c.op());
  const ir::Literal &x = c.operand(0), &y = c.operand(1);
  for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& outer, std::int64_t position) {
    double sum = 0;
    std::uint64_t integer_sum = 0;
    for_each_index(depths(spec), [&](const std::vector<std::int64_t>& inner, std::int64_t) {
      std::vector<std::int64_t> loops = outer;
      loops.insert(loops.end(), inner.begin(), inner.end());
      const std::int64_t i = position_of(coordinates(spec.a, loops), x.dims);
      const std::int64_t j = position_of(coordinates(spec.b, loops), y.dims);
      if (is_float(x.dtype))
        sum += x.as_double(i) * y.as_double(j);
      else
        integer_sum += static_cast<std::uint64_t>(x.as_integer(i)) * static_cast<std::uint64_t>(y.as_integer(j));
    });
    if (is_float(x.dtype))
      c.result().set(position, sum);
    else
      c.result().set_integer(position, static_cast<std::int64_t>(integer_sum));
  });
}

std::vector<Sample> dot_samples() {
  const auto sample = [](Shape x, Shape y, ir::AxisPairs contract, ir::AxisPairs batch = {}, DType dtype = DType::f32) {
    return Sample{.shapes = {std::move(x), std::move(y)},
                  .attributes = {{"contract", std::move(contract)}, {"batch", std::move(batch)}},
                  .dtypes = {dtype, dtype}};
  };
  const Dim a = dim("a"), b = dim("b");
  return {sample({a, 5}, {5, b}, {{1}, {0}}),
          sample({3, a}, {a, b}, {{1}, {0}}),
          sample({a, b}, {7, b}, {{1}, {1}}),
          sample({b, a}, {b, 4}, {{0}, {0}}),
          sample({2, a, 5}, {2, 5, b}, {{2}, {1}}, {{0}, {0}}),
          sample({a, 2, 3}, {4, a, b}, {{0}, {1}}),
          sample({a, 3, 4}, {b, 4, 3}, {{2, 1}, {1, 2}}),
          sample({3, 2, 5}, {5, 7, 3}, {{2}, {0}}, {{0}, {2}}),
          sample({a}, {b}, {}),
          sample({37}, {37}, {{0}, {0}}),
          sample({17, 35}, {35, 33}, {{1}, {0}}),
          sample({3, 4}, {4, 5}, {{1}, {0}}, {}, DType::i32)};
}

}  // namespace

const OpDef op_dot_general{
    .name = "dot_general",
    .arity = 2,
    .doc =
        "The sum of products over the paired axes `contract`, for each index of the paired axes `batch`. The result "
        "has the batch axes, the free axes of x, the free axes of y. f16 and bf16 accumulate in f32. "
        "Gradients: dx = g contracted with y over y's free axes, dy = x contracted with g over x's free axes.",
    .traits = {},
    .infer = infer_dot,
    .vjp = dot_vjp,
    .element = lower_dot,
    .contraction = dot_contraction,
    .eval = eval_dot,
    .samples = dot_samples(),
};

}  // namespace pullback::ops
