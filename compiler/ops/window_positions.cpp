// window_argmax and window_scatter: where the maximum of each window is, and what brings its gradient back there.
#include <limits>

#include <fmt/format.h>

#include "compiler/ops/window_fold.h"

namespace pullback::ops {

namespace {

using kernel::Combine;
using kernel::Index;

std::vector<ir::Type> infer_argmax(const InferContext& c) {
  c.require_number(0);
  return {{DType::i64, windowed_shape(c)}};
}

// Two folds: the maximum, then the smallest position that holds it (or a NaN, when the maximum is one).
kernel::Value* lower_argmax(LowerContext& c) {
  kernel::Builder& b = c.build();
  const WindowFold fold(c);
  const DType dtype = c.op().operand(0)->type.dtype;
  const DType wide = dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
  kernel::Value* lowest = b.bits(wide, kernel::identity_bits(Combine::max, wide));
  const auto element = [&](const TapPlace& place) {
    if (!place.inside) return b.convert(c.read(0, place.at), wide);
    return b.convert(c.read_if(place.inside, 0, place.at, b.convert(lowest, dtype)), wide);
  };
  kernel::Value* maximum =
      fold.over_taps(c, Combine::max, wide, [&](const Indices& tap) { return element(fold.place(c, tap)); });
  kernel::Value* none = b.integer(DType::i64, std::numeric_limits<std::int64_t>::max());
  kernel::Value* first = fold.over_taps(c, Combine::min, DType::i64, [&](const Indices& tap) {
    const TapPlace place = fold.place(c, tap);
    kernel::Value* x = element(place);
    kernel::Value* here = b.eq(x, maximum);
    if (is_float(wide)) here = b.bit_or(here, b.is_nan(x));
    if (place.inside) here = b.bit_and(here, place.inside);
    return b.select(here, b.index_value(fold.position(place.at)), none);
  });
  return b.select(b.eq(first, none), b.integer(DType::i64, 0), first);
}

void eval_argmax(EvalContext& c) {
  const ir::Literal& x = c.operand(0);
  std::int64_t plane = 1;
  const std::size_t window_axes = c.attributes().integers("window").size();
  for (std::size_t d = x.dims.size() - window_axes; d < x.dims.size(); ++d) plane *= x.dims[d];
  for_each_window(c, [&](std::int64_t position, const std::vector<std::int64_t>& taps) {
    std::int64_t best = taps.empty() ? 0 : taps.front();
    for (const std::int64_t tap : taps)
      if (is_larger(x, tap, best)) best = tap;
    c.result().set_integer(position, plane == 0 ? 0 : best % plane);
  });
}

// The result of the forward op that made the positions: what the windows slide over.
Shape scattered_shape(const InferContext& c, const Shape& sizes) {
  Shape shape = c.shape(0);
  if (sizes.size() > shape.size()) c.fail(fmt::format("{} sizes are given for {} axes", sizes.size(), shape.size()));
  for (std::size_t d = 0; d < sizes.size(); ++d) shape[shape.size() - sizes.size() + d] = sizes[d];
  return shape;
}

std::vector<ir::Type> infer_window_scatter(const InferContext& c) {
  c.require_number(0);
  const auto& sizes = c.attribute<Shape>("sizes");
  if (c.attribute<ir::Integers>("window").size() != sizes.size()) c.fail("window and sizes need equally many entries");
  if (c.dtype(1) != DType::i64 || c.shape(1) != c.shape(0)) c.fail("the positions must be i64 of the shape of g");
  const Shape shape = scattered_shape(c, sizes), windows = windowed_shape(c, shape);
  if (windows != c.shape(0))
    c.fail(fmt::format("{} have windows {}", pullback::to_string(shape), pullback::to_string(windows)));
  return {{c.dtype(0), shape}};
}

Windows transposed_windows(const ir::Op& op) {
  const Windows w = windows_of(op);
  const Shape& g = op.operand(0)->type.shape;
  return w.transposed(op.attributes.shape("sizes"), {g.end() - static_cast<std::ptrdiff_t>(w.rank()), g.end()});
}

bool windows_overlap(const Windows& w) {
  for (std::size_t d = 0; d < w.rank(); ++d)
    if (w.base_dilation[d] > 1 || w.span(d).constant() > w.strides[d]) return true;
  return false;
}

// An element that no two windows hold asks the one that does, or would.
kernel::Value* lower_scatter_apart(LowerContext& c, const Windows& w) {
  kernel::Builder& b = c.build();
  const DType dtype = c.op().result()->type.dtype;
  const std::vector<std::int64_t> sizes = ir::static_dims(c.attributes().shape("sizes")), dims = c.operand_dims(0);
  const std::size_t lead = sizes.size() < dims.size() ? dims.size() - sizes.size() : 0;
  Indices at = c.indices(), own;
  kernel::Value* inside = nullptr;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    const std::int64_t low = w.low[d].constant(), windows = dims[lead + d];
    own.push_back(at[lead + d]);
    at[lead + d] = kernel::floordiv(at[lead + d] + Index(low), w.strides[d]);
    if (low >= 0 && (sizes[d] - 1 + low) / w.strides[d] < windows) continue;
    kernel::Value* window = b.index_value(at[lead + d]);
    kernel::Value* exists =
        b.bit_and(b.ge(window, b.integer(DType::i64, 0)), b.lt(window, b.integer(DType::i64, windows)));
    inside = inside ? b.bit_and(inside, exists) : exists;
  }
  kernel::Value* here = b.index_value(kernel::flatten(own, sizes));
  kernel::Value* zero = b.constant(dtype, 0);
  if (!inside) return b.select(b.eq(c.read(1, at), here), c.read(0, at), zero);
  kernel::Value* hit = b.eq(c.read_if(inside, 1, at, b.integer(DType::i64, -1)), here);
  return b.select(hit, c.read_if(inside, 0, at, zero), zero);
}

// Each element asks the windows that hold it whether they point at it: no element is written twice.
kernel::Value* lower_scatter(LowerContext& c) {
  const Windows windows = windows_of(c.op());
  if (!windows_overlap(windows)) return lower_scatter_apart(c, windows);
  kernel::Builder& b = c.build();
  const WindowFold fold(c, transposed_windows(c.op()));
  const DType dtype = c.op().result()->type.dtype;
  const DType wide = dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
  const std::vector<std::int64_t> sizes = ir::static_dims(c.attributes().shape("sizes"));
  const Indices own(c.indices().end() - static_cast<std::ptrdiff_t>(sizes.size()), c.indices().end());
  kernel::Value* here = b.index_value(kernel::flatten(own, sizes));
  kernel::Value* nowhere = b.integer(DType::i64, -1);
  kernel::Value* zero = b.constant(dtype, 0);
  kernel::Value* sum = fold.over_taps(c, Combine::add, wide, [&](const Indices& tap) {
    const TapPlace place = fold.place(c, tap);
    if (!place.inside) {
      kernel::Value* hit = b.eq(c.read(1, place.at), here);
      return b.convert(b.select(hit, c.read(0, place.at), zero), wide);
    }
    kernel::Value* hit = b.eq(c.read_if(place.inside, 1, place.at, nowhere), here);
    return b.convert(b.select(hit, c.read_if(place.inside, 0, place.at, zero), zero), wide);
  });
  return b.convert(sum, dtype);
}

// As lowering does it: each element asks its windows.
void eval_window_scatter(EvalContext& c) {
  const Windows w = transposed_windows(c.op());
  const std::vector<std::int64_t> sizes = ir::static_dims(w.sizes), &dims = c.operand(0).dims;
  const auto rank = static_cast<std::ptrdiff_t>(w.rank());
  const std::vector<std::int64_t> windows(dims.end() - rank, dims.end()),
      plane = ir::static_dims(c.attributes().shape("sizes"));
  for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
    const std::vector<std::int64_t> own(index.end() - rank, index.end());
    const std::int64_t here = position_of(own, plane);
    double sum = 0;
    std::uint64_t integer_sum = 0;
    std::vector<std::int64_t> at;
    for_each_index(sizes, [&](const std::vector<std::int64_t>& tap, std::int64_t) {
      if (!place_of(w, windows, own, tap, at)) return;
      std::vector<std::int64_t> from(index.begin(), index.end() - rank);
      from.insert(from.end(), at.begin(), at.end());
      const std::int64_t source = position_of(from, dims);
      if (c.operand(1).as_integer(source) != here) return;
      if (is_float(c.operand(0).dtype))
        sum += c.operand(0).as_double(source);
      else
        integer_sum += static_cast<std::uint64_t>(c.operand(0).as_integer(source));
    });
    if (is_float(c.operand(0).dtype))
      c.result().set(position, sum);
    else
      c.result().set_integer(position, static_cast<std::int64_t>(integer_sum));
  });
}

// dg = the elements of the cotangent at the positions.
void window_scatter_vjp(GradContext& c) {
  if (!c.needs_grad(0)) return;
  const Value g = c.operand(0), positions = c.operand(1), cotangent = c.out_grad();
  const Shape& sizes = c.attributes().shape("sizes");
  const auto lead = static_cast<std::ptrdiff_t>(g.rank() - sizes.size());
  const auto planes = [&](Value x) {
    Shape shape(x.shape().begin(), x.shape().begin() + lead);
    Dim plane = 1;
    for (std::size_t d = shape.size(); d < x.rank(); ++d) plane = plane * x.size(d);
    shape.push_back(plane);
    return reshape(x, shape);
  };
  c.add_grad(0, reshape(gather(planes(cotangent), planes(positions), lead, lead), g.shape()));
}

std::vector<Sample> scatter_samples() {
  const Dim a = dim("a"), b = dim("b");
  const auto sample = [](Shape g, const Windows& w, Shape sizes, double low, double high, DType dtype = DType::f32) {
    Sample made{
        .shapes = {g, g}, .attributes = w.attributes(), .dtypes = {dtype, DType::i64}, .low = low, .high = high};
    ir::Integers window;
    for (const Dim& size : w.sizes) window.push_back(size.constant());
    made.attributes.set("window", std::move(window));
    made.attributes.set("sizes", std::move(sizes));
    return made;
  };
  // Positions are drawn from where all windows overlap.
  return {sample({a, b, 1, 1}, {{2, 3}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, {2, 3}, 0, 5),
          sample({a, 3}, {{11}, {1}, {1}, {1}, {1}, {1}}, {11}, 1, 9),
          sample({3, 1, 17}, {{2, 35}, {2, 1}, {1, 1}, {1, 1}, {0, 8}, {0, 8}}, {2, 35}, 8, 26),
          sample({5, 2}, {{4}, {2}, {1}, {1}, {1}, {1}}, {4}, 1, 2, DType::i32)};
}

}  // namespace

const OpDef op_window_argmax{
    .name = "window_argmax",
    .arity = 1,
    .doc =
        "Where the first maximum (or NaN) of each window of the last axes is: its row-major position within those axes "
        "of x, as i64; 0 for a window of padding alone.",
    .infer = infer_argmax,
    .no_vjp = "the result holds positions, which have no gradient",
    .element = lower_argmax,
    .eval = eval_argmax,
    .samples = window_samples(),
};

const OpDef op_window_scatter{
    .name = "window_scatter",
    .arity = 2,
    .doc =
        "(g, positions): a tensor whose last axes have `sizes`, in which each g is added at its position, which lies "
        "in its window: as window_argmax of the same windows gives it. The gradient of reduce_window_max. Gradient: dg "
        "= the "
        "cotangent at the positions.",
    .traits = {.is_linear = true},
    .infer = infer_window_scatter,
    .vjp = window_scatter_vjp,
    .element = lower_scatter,
    .eval = eval_window_scatter,
    .samples = scatter_samples(),
};

}  // namespace pullback::ops
