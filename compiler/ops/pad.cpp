// pad: x with a value around and between its elements (StableHLO's pad).
#include <algorithm>

#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;

std::vector<ir::Type> infer_pad(const InferContext& c) {
  c.require_same_dtype(0, 1);
  c.require_scalar(1);
  const auto& low = c.attribute<Shape>("low");
  const auto& high = c.attribute<Shape>("high");
  const auto& interior = c.attribute<Integers>("interior");
  const std::size_t rank = c.rank(0);
  if (low.size() != rank || high.size() != rank || interior.size() != rank)
    c.fail(fmt::format("low, high and interior need one entry for each of {} axes", rank));
  Shape shape;
  for (std::size_t d = 0; d < rank; ++d) {
    if (interior[d] < 0) c.fail(fmt::format("axis {}: the interior padding {} is negative", d, interior[d]));
    const Dim& size = c.shape(0)[d];
    const Dim padded = low[d] + size + (size - 1) * interior[d] + high[d];
    if (padded.is_constant() && padded.constant() < 0) c.fail(fmt::format("axis {}: more is cropped than there is", d));
    shape.push_back(padded);
  }
  return {{c.dtype(0), shape}};
}

// dx = every interior + 1st element of g with low and high cropped (or, where x was cropped, zeros put back).
// dvalue = the sum of g where the result is not an element of x.
void pad_vjp(GradContext& c) {
  const Value g = c.out_grad(), x = c.operand(0);
  ir::Builder& b = *g.builder;
  const Shape &low = c.attributes().shape("low"), &high = c.attributes().shape("high");
  const Integers& interior = c.attributes().integers("interior");
  if (c.needs_grad(0)) {
    Shape before, behind;  // behind: `interior` more than there was, so that n * (interior + 1) elements are left
    Integers step;
    for (std::size_t d = 0; d < interior.size(); ++d) {
      before.push_back(Dim(0) - low[d]);
      behind.push_back(Dim(interior[d]) - high[d]);
      step.push_back(interior[d] + 1);
    }
    const Value spread = pad(g, scalar(b, g.dtype(), 0), before, behind);
    const bool strided = std::any_of(interior.begin(), interior.end(), [](std::int64_t i) { return i != 0; });
    c.add_grad(0, strided ? slice(spread, Shape(x.rank(), 0), spread.shape(), step) : spread);
  }
  if (c.needs_grad(1)) {
    const ir::Type mask{DType::boolean, x.shape()};
    const Value padding = pad(full(b, mask, 0), scalar(b, DType::boolean, 1), low, high, interior);
    c.add_grad(1, reduce_sum(select(padding, g, full_like(g, 0)), all_axes(g.rank())));
  }
}

kernel::Value* lower_pad(LowerContext& c) {
  kernel::Builder& b = c.build();
  const std::vector<std::int64_t> low = ir::static_dims(c.attributes().shape("low")), dims = c.operand_dims(0);
  const Integers& interior = c.attributes().integers("interior");
  kernel::Value* outside = c.read(1, {});
  if (ir::element_count(c.op().operand(0)->type.shape) == Dim(0)) return outside;
  kernel::Value* inside = nullptr;
  const auto require = [&](kernel::Value* condition) { inside = inside ? b.bit_and(inside, condition) : condition; };
  Indices source;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    const std::int64_t step = interior[d] + 1;
    const kernel::Index shifted = c.indices()[d] - low[d];
    const kernel::Range range = shifted.range();
    if (range.high < 0 || range.low > (dims[d] - 1) * step) return outside;
    if (range.low < 0) require(b.ge(b.index_value(shifted), b.integer(DType::i64, 0)));
    if (range.high > (dims[d] - 1) * step)
      require(b.le(b.index_value(shifted), b.integer(DType::i64, (dims[d] - 1) * step)));
    if (step > 1) require(b.eq(b.index_value(kernel::mod(shifted, step)), b.integer(DType::i64, 0)));
    source.push_back(step > 1 ? kernel::floordiv(shifted, step) : shifted);
  }
  return inside ? c.read_if(inside, 0, source, outside) : c.read(0, source);
}

void eval_pad(EvalContext& c) {
  const std::vector<std::int64_t> low = ir::static_dims(c.attributes().shape("low"));
  const Integers& interior = c.attributes().integers("interior");
  for (std::int64_t i = 0; i < c.result().size(); ++i) copy_element(c.result(), i, c.operand(1), 0);
  for_each_index(c.operand(0).dims, [&](std::vector<std::int64_t> index, std::int64_t source) {
    for (std::size_t d = 0; d < index.size(); ++d) {
      index[d] = low[d] + index[d] * (interior[d] + 1);
      if (index[d] < 0 || index[d] >= c.result().dims[d]) return;
    }
    copy_element(c.result(), position_of(index, c.result().dims), c.operand(0), source);
  });
}

Sample pad_sample(Shape x, Shape low, Shape high, Integers interior) {
  return {.shapes = {std::move(x), {}},
          .attributes = {{"low", std::move(low)}, {"high", std::move(high)}, {"interior", std::move(interior)}}};
}

}  // namespace

const OpDef op_pad{
    .name = "pad",
    .arity = 2,
    .doc =
        "x with `low` copies of the scalar operand before, `high` behind and `interior` between its elements, axis by "
        "axis; negative low and high crop. A size n becomes low + n + (n-1)*interior + high, also for n = 0, so that "
        "sizes stay polynomials. Gradients: dx = g at x's places, dvalue = the sum of g at all others.",
    .traits = {.is_linear = true},
    .infer = infer_pad,
    .vjp = pad_vjp,
    .element = lower_pad,
    .eval = eval_pad,
    .samples = {pad_sample({dim("a"), dim("b")}, {1, 0}, {0, 2}, {0, 0}),
                pad_sample({dim("a"), 5}, {2, 1}, {1, 3}, {0, 2}), pad_sample({7, 6}, {-1, 2}, {3, -2}, {1, 0}),
                pad_sample({11}, {-2}, {-3}, {2}), pad_sample({0, 3}, {2, 1}, {3, 0}, {2, 1}),
                pad_sample({}, {}, {}, {}), pad_sample({37}, {5}, {0}, {0})},
};

}  // namespace pullback::ops
