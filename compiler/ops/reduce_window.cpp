// reduce_window_sum, reduce_window_max: folds over windows of the trailing axes (pooling).
#include <cmath>
#include <limits>

#include "compiler/ops/window_fold.h"

namespace pullback::ops {

namespace {

using kernel::Combine;

std::vector<ir::Type> infer_reduce_window(const InferContext& c) {
  c.require_number(0);
  return {{c.dtype(0), windowed_shape(c)}};
}

// The identity stands in for padding. f16 and bf16 are folded in f32 and rounded once.
Element element_reduce_window(Combine how) {
  return [how](LowerContext& c) {
    kernel::Builder& b = c.build();
    const WindowFold fold(c);
    const DType dtype = c.op().result()->type.dtype;
    const DType wide = dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
    kernel::Value* padding = how == Combine::add ? b.constant(wide, 0) : b.bits(wide, kernel::identity_bits(how, wide));
    kernel::Value* folded = fold.over_taps(c, how, wide, [&](const Indices& tap) {
      const TapPlace place = fold.place(c, tap);
      if (!place.inside) return b.convert(c.read(0, place.at), wide);
      return b.convert(c.read_if(place.inside, 0, place.at, b.convert(padding, dtype)), wide);
    });
    return b.convert(folded, dtype);
  };
}

void eval_sum(EvalContext& c) {
  const ir::Literal& x = c.operand(0);
  for_each_window(c, [&](std::int64_t position, const std::vector<WindowTap>& taps) {
    double sum = 0;
    std::uint64_t integer_sum = 0;
    for (const WindowTap& tap : taps) {
      if (is_float(x.dtype))
        sum += x.as_double(tap.position);
      else
        integer_sum += static_cast<std::uint64_t>(x.as_integer(tap.position));
    }
    if (is_float(x.dtype))
      c.result().set(position, sum);
    else
      c.result().set_integer(position, static_cast<std::int64_t>(integer_sum));
  });
}

void eval_max(EvalContext& c) {
  const ir::Literal& x = c.operand(0);
  for_each_window(c, [&](std::int64_t position, const std::vector<WindowTap>& taps) {
    if (taps.empty()) {
      if (is_float(x.dtype))
        c.result().set(position, -std::numeric_limits<double>::infinity());
      else
        c.result().set_integer(position, static_cast<std::int64_t>(kernel::identity_bits(Combine::max, x.dtype)));
      return;
    }
    std::int64_t best = taps.front().position;
    for (const WindowTap& tap : taps)
      if (is_larger(x, tap.position, best)) best = tap.position;
    copy_element(c.result(), position, x, best);
  });
}

Shape window_sizes(const Shape& shape, const Windows& w) {
  return {shape.end() - static_cast<std::ptrdiff_t>(w.rank()), shape.end()};
}

}  // namespace

const OpDef op_reduce_window_sum{
    .name = "reduce_window_sum",
    .arity = 1,
    .doc =
        "The sum over windows of the last axes; padding, and the gaps that base_dilation makes, count as 0. Gradient: "
        "dx = the sum of g over the windows that hold x, a reduce_window_sum of g spread by the stride.",
    .traits = {.is_linear = true},
    .infer = infer_reduce_window,
    .vjp =
        [](GradContext& c) {
          const Windows w = windows_of(c.op());
          const Value x = c.operand(0), g = c.out_grad();
          c.add_grad(0, reduce_window_sum(g, w.transposed(window_sizes(x.shape(), w), window_sizes(g.shape(), w))));
        },
    .element = element_reduce_window(Combine::add),
    .eval = eval_sum,
    .samples = window_samples(),
};

const OpDef op_reduce_window_max{
    .name = "reduce_window_max",
    .arity = 1,
    .doc =
        "The largest over windows of the last axes; NaN if there is one. Padding never wins: a window of padding alone "
        "gives -inf or the smallest integer. Gradient: g to the first maximum of each window (as PyTorch).",
    .infer = infer_reduce_window,
    .vjp =
        [](GradContext& c) {
          const Windows w = windows_of(c.op());
          const Value x = c.operand(0);
          c.add_grad(0, window_scatter(c.out_grad(), window_argmax(x, w), w, window_sizes(x.shape(), w)));
        },
    .element = element_reduce_window(Combine::max),
    .eval = eval_max,
    .samples = window_samples(),
};

}  // namespace pullback::ops
