// reduce_sum, reduce_prod, reduce_max, reduce_min: folds over the axes `axes`, which disappear.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/ops/define.h"
#include "compiler/ops/extremes.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;
using kernel::Combine;

bool contains(const Integers& axes, std::size_t axis) {
  return std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
}

Integers kept_axes(const Integers& axes, std::size_t rank) {
  Integers kept;
  for (std::size_t d = 0; d < rank; ++d)
    if (!contains(axes, d)) kept.push_back(static_cast<std::int64_t>(d));
  return kept;
}

std::vector<ir::Type> infer_reduce(const InferContext& c) {
  c.require_number(0);
  const auto& axes = c.attribute<Integers>("axes");
  c.require_axes(axes, c.rank(0));
  Shape shape;
  for (const std::int64_t axis : kept_axes(axes, c.rank(0)))
    shape.push_back(c.shape(0)[static_cast<std::size_t>(axis)]);
  return {{c.dtype(0), shape}};
}

// A value of the result's shape repeated over the axes that the reduction removed.
Value spread(GradContext& c, Value reduced) {
  const Shape& shape = c.operand(0).shape();
  return broadcast(reduced, shape, kept_axes(c.attributes().integers("axes"), shape.size()));
}

// f16 and bf16 are folded in f32 and rounded once.
Element element_reduce(Combine how) {
  return [how](LowerContext& c) {
    kernel::Builder& b = c.build();
    const DType dtype = c.op().result()->type.dtype;
    const DType wide = dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
    const Integers& axes = c.attributes().integers("axes");
    const std::vector<std::int64_t> dims = c.operand_dims(0);
    const Integers kept = kept_axes(axes, dims.size());
    std::vector<std::int64_t> extents;
    for (const std::int64_t axis : axes) extents.push_back(dims[static_cast<std::size_t>(axis)]);
    Indices source(dims.size());
    for (std::size_t i = 0; i < kept.size(); ++i) source[static_cast<std::size_t>(kept[i])] = c.indices()[i];
    kernel::Value* folded = c.reduce(extents, how, wide, [&](const Indices& inner) {
      Indices index = source;
      for (std::size_t i = 0; i < axes.size(); ++i) index[static_cast<std::size_t>(axes[i])] = inner[i];
      return b.convert(c.read(0, index), wide);
    });
    return b.convert(folded, dtype);
  };
}

// Visits each operand element with the position of the result that it is folded into.
void for_each_folded(const EvalContext& c,
                     const std::function<void(std::int64_t result, std::int64_t operand)>& visit) {
  const Integers kept = kept_axes(c.attributes().integers("axes"), c.operand(0).dims.size());
  for_each_index(c.operand(0).dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
    std::vector<std::int64_t> target;
    for (const std::int64_t axis : kept) target.push_back(index[static_cast<std::size_t>(axis)]);
    visit(position_of(target, c.result().dims), position);
  });
}

// The whole fold in double (or 64-bit integers that wrap), rounded once at the end.
Eval eval_reduce(Float2 on_float, double float_start, Integer2 on_integer,
                 const std::function<std::int64_t(DType)>& integer_start) {
  return [=](EvalContext& c) {
    const ir::Literal& x = c.operand(0);
    const auto size = static_cast<std::size_t>(c.result().size());
    if (is_float(x.dtype)) {
      std::vector<double> folded(size, float_start);
      for_each_folded(c, [&](std::int64_t to, std::int64_t from) {
        folded[static_cast<std::size_t>(to)] = on_float(folded[static_cast<std::size_t>(to)], x.as_double(from));
      });
      for (std::size_t i = 0; i < size; ++i) c.result().set(static_cast<std::int64_t>(i), folded[i]);
    } else {
      std::vector<std::int64_t> folded(size, integer_start(x.dtype));
      for_each_folded(c, [&](std::int64_t to, std::int64_t from) {
        folded[static_cast<std::size_t>(to)] = on_integer(folded[static_cast<std::size_t>(to)], x.as_integer(from));
      });
      for (std::size_t i = 0; i < size; ++i) c.result().set_integer(static_cast<std::int64_t>(i), folded[i]);
    }
  };
}

std::int64_t lowest(DType dtype) {
  if (dtype == DType::i32) return std::numeric_limits<std::int32_t>::min();
  return dtype == DType::i64 ? std::numeric_limits<std::int64_t>::min() : 0;
}

std::int64_t highest(DType dtype) {
  switch (dtype) {
    case DType::u8:
      return std::numeric_limits<std::uint8_t>::max();
    case DType::u32:
      return std::numeric_limits<std::uint32_t>::max();
    case DType::i32:
      return std::numeric_limits<std::int32_t>::max();
    default:
      return std::numeric_limits<std::int64_t>::max();
  }
}

// dx = g shared by the elements that are the extremum; NaNs are, when there are any. Over no elements the result is
// constant: the 1 keeps 0/0 out of its forward derivative.
void reduced_extremum_vjp(GradContext& c) {
  const Value x = c.operand(0), is_it = bit_or(eq(x, spread(c, c.result())), ne(x, x));
  const Value count = reduce_sum(convert(is_it, x.dtype()), c.attributes().integers("axes"));
  const Value share = c.out_grad() / maximum(count, full_like(count, 1));
  c.add_grad(0, select(is_it, spread(c, share), full_like(x, 0)));
}

// dx_i = g * product of all x_j with j != i, taken over a copy of x for each i, in which x_i is 1. That is quadratic in
// the number of factors, but right with any number of zeros and for derivatives of every order.
void reduced_product_vjp(GradContext& c) {
  const Value x = c.operand(0);
  const Integers &axes = c.attributes().integers("axes"), kept = kept_axes(axes, x.rank());
  Integers order = kept;
  order.insert(order.end(), axes.begin(), axes.end());
  Dim factors = 1;
  for (const std::int64_t axis : axes) factors = factors * x.size(static_cast<std::size_t>(axis));
  Shape outer = c.result().shape();
  const auto i_axis = static_cast<std::int64_t>(outer.size()), j_axis = i_axis + 1;
  Shape rows = outer;
  rows.push_back(factors);
  Shape square = rows;
  square.push_back(factors);

  const Value moved = transpose(x, order);  // [kept..., axes...]
  Integers row_axes = all_axes(outer.size());
  row_axes.push_back(j_axis);
  const Value copies = broadcast(reshape(moved, rows), square, row_axes);
  const Value own = eq(iota(*x.builder, DType::i64, square, i_axis), iota(*x.builder, DType::i64, square, j_axis));
  const Value others = reduce_prod(select(own, full_like(copies, 1), copies), {j_axis});  // [kept..., factors]
  const Value dx = broadcast(c.out_grad(), rows, all_axes(outer.size())) * others;
  Integers back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  c.add_grad(0, transpose(reshape(dx, moved.shape()), back));
}

std::vector<Sample> reduce_samples(double low, double high) {
  const auto sample = [&](Shape x, Integers axes, DType dtype = DType::f32) {
    return Sample{.shapes = {std::move(x)},
                  .attributes = {{"axes", std::move(axes)}},
                  .dtypes = {dtype},
                  .low = dtype == DType::f32 ? low : 0,
                  .high = dtype == DType::f32 ? high : 9};
  };
  const Dim a = dim("a"), b = dim("b");
  return {sample({a, b}, {1}),
          sample({a, b}, {0}),
          sample({a, b}, {0, 1}),
          sample({a, 3, b}, {0, 2}),
          sample({3, 5, 7}, {2, 0}),
          sample({83}, {0}),
          sample({3, 0}, {1}),
          sample({3, 37}, {1}, DType::i32),
          sample({37, 3}, {0}, DType::i64),
          sample({5, 19}, {1}, DType::u8)};
}

}  // namespace

const OpDef op_reduce_sum{
    .name = "reduce_sum",
    .arity = 1,
    .doc = "The sum over `axes`; 0 for none. The order of additions is fixed by the shape. Gradient: dx = g repeated.",
    .traits = {.reduction = true, .is_linear = true},
    .infer = infer_reduce,
    .vjp = [](GradContext& c) { c.add_grad(0, spread(c, c.out_grad())); },
    .element = element_reduce(Combine::add),
    .eval =
        eval_reduce([](double x, double y) { return x + y; }, 0,
                    [](std::int64_t x, std::int64_t y) {
                      return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) + static_cast<std::uint64_t>(y));
                    },
                    [](DType) { return std::int64_t{0}; }),
    .samples = reduce_samples(-2, 2),
};

const OpDef op_reduce_prod{
    .name = "reduce_prod",
    .arity = 1,
    .doc =
        "The product over `axes`; 1 for none. Gradient: dx_i = g * product of all others, which survives zeros; its "
        "cost is quadratic in the number of factors.",
    .traits = {.reduction = true},
    .infer = infer_reduce,
    .vjp = reduced_product_vjp,
    .element = element_reduce(Combine::mul),
    .eval =
        eval_reduce([](double x, double y) { return x * y; }, 1,
                    [](std::int64_t x, std::int64_t y) {
                      return static_cast<std::int64_t>(static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(y));
                    },
                    [](DType) { return std::int64_t{1}; }),
    .samples = reduce_samples(0.7, 1.3),
};

const OpDef op_reduce_max{
    .name = "reduce_max",
    .arity = 1,
    .doc =
        "The largest over `axes`: -inf (or the smallest integer) for none, NaN if there is one. Gradient: g shared "
        "evenly by the elements that are the maximum (as PyTorch's amax).",
    .traits = {.reduction = true},
    .infer = infer_reduce,
    .vjp = reduced_extremum_vjp,
    .element = element_reduce(Combine::max),
    .eval = eval_reduce(
        larger, -std::numeric_limits<double>::infinity(), [](std::int64_t x, std::int64_t y) { return std::max(x, y); },
        lowest),
    .samples = reduce_samples(-2, 2),
};

const OpDef op_reduce_min{
    .name = "reduce_min",
    .arity = 1,
    .doc =
        "The smallest over `axes`: +inf (or the largest integer) for none, NaN if there is one. Gradient: g shared "
        "evenly by the elements that are the minimum (as PyTorch's amin).",
    .traits = {.reduction = true},
    .infer = infer_reduce,
    .vjp = reduced_extremum_vjp,
    .element = element_reduce(Combine::min),
    .eval = eval_reduce(
        smaller, std::numeric_limits<double>::infinity(), [](std::int64_t x, std::int64_t y) { return std::min(x, y); },
        highest),
    .samples = reduce_samples(-2, 2),
};

}  // namespace pullback::ops
