// window_argmax and window_scatter: which tap of each window holds its maximum, and what brings the gradient back
// there. Taps are numbered row-major within the window. Numbers that small need no more bytes than the elements beside
// them, and along a vector of channels those to compare with are constants.
#include <limits>

#include <fmt/format.h>

#include "compiler/ops/window_fold.h"

namespace pullback::ops {

namespace {

using kernel::Combine;
using kernel::Index;

std::vector<ir::Type> infer_argmax(const InferContext& c) {
  c.require_number(0);
  return {{DType::i32, windowed_shape(c)}};
}

// Two folds: the maximum, then the first tap that holds it (or a NaN, when the maximum is one).
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
  kernel::Value* none = b.integer(DType::i32, std::numeric_limits<std::int32_t>::max());
  kernel::Value* first = fold.over_taps(c, Combine::min, DType::i32, [&](const Indices& tap) {
    const TapPlace place = fold.place(c, tap);
    kernel::Value* x = element(place);
    kernel::Value* here = b.eq(x, maximum);
    if (is_float(wide)) here = b.bit_or(here, b.is_nan(x));
    if (place.inside) here = b.bit_and(here, place.inside);
    return b.select(here, b.convert(b.index_value(fold.number(tap)), DType::i32), none);
  });
  return b.select(b.eq(first, none), b.integer(DType::i32, -1), first);
}

void eval_argmax(EvalContext& c) {
  const ir::Literal& x = c.operand(0);
  for_each_window(c, [&](std::int64_t position, const std::vector<WindowTap>& taps) {
    WindowTap best{-1, 0};
    for (const WindowTap& tap : taps)
      if (best.number < 0 || is_larger(x, tap.position, best.position)) best = tap;
    c.result().set_integer(position, best.number);
  });
}

// What the windows slide over.
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
  if (c.dtype(1) != DType::i32 || c.shape(1) != c.shape(0)) c.fail("the taps must be i32 of the shape of g");
  const Shape shape = scattered_shape(c, sizes), windows = windowed_shape(c, shape);
  if (windows != c.shape(0))
    c.fail(fmt::format("{} have windows {}", pullback::to_string(shape), pullback::to_string(windows)));
  return {{c.dtype(0), shape}};
}

/// Along one window axis: the windows that may hold an element, and which tap of them it is. With p = at*base_dilation
/// + low, window floor(p / stride) - j begins (p mod stride) + j*stride before it, and so many windows as fit into the
/// span can hold it.
struct Holders {
  std::int64_t count = 1;
  Index position;  ///< p
  std::int64_t stride = 1, dilation = 1, taps = 1, windows = 1;

  Index window(const Index& j) const { return kernel::floordiv(position, stride) - j; }
  Index behind(const Index& j) const { return kernel::mod(position, stride) + j * stride; }
  Index tap(const Index& j) const { return dilation > 1 ? kernel::floordiv(behind(j), dilation) : behind(j); }

  /// Does window j hold the element? Null: always.
  kernel::Value* holds(kernel::Builder& b, const Index& j) const {
    kernel::Value* condition = nullptr;
    const auto require = [&](kernel::Value* other) { condition = condition ? b.bit_and(condition, other) : other; };
    const auto require_in = [&](const Index& index, std::int64_t end) {
      const kernel::Range range = index.range();
      if (range.low < 0) require(b.ge(b.index_value(index), b.integer(DType::i64, 0)));
      if (range.high >= end) require(b.lt(b.index_value(index), b.integer(DType::i64, end)));
    };
    require_in(window(j), windows);
    require_in(tap(j), taps);
    if (dilation > 1) require(b.eq(b.index_value(kernel::mod(behind(j), dilation)), b.integer(DType::i64, 0)));
    return condition;
  }
};

std::vector<Holders> holders_of(const LowerContext& c, const Windows& w) {
  const std::vector<std::int64_t> dims = c.operand_dims(0);
  const std::size_t lead = c.indices().size() - w.rank();
  std::vector<Holders> holders;
  for (std::size_t d = 0; d < w.rank(); ++d)
    holders.push_back({(w.span(d).constant() + w.strides[d] - 1) / w.strides[d],
                       c.indices()[lead + d] * w.base_dilation[d] + Index(w.low[d].constant()), w.strides[d],
                       w.window_dilation[d], w.sizes[d].constant(), dims[lead + d]});
  return holders;
}

// Each element asks the windows that hold it whether their tap is the one where it lies: no element is written twice.
kernel::Value* lower_scatter(LowerContext& c) {
  kernel::Builder& b = c.build();
  const DType dtype = c.op().result()->type.dtype;
  const DType wide = dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
  const Windows windows = windows_of(c.op());
  const std::vector<Holders> holders = holders_of(c, windows);
  const std::vector<std::int64_t> sizes = ir::static_dims(windows.sizes);
  std::vector<std::int64_t> counts;
  for (const Holders& h : holders) counts.push_back(h.count);
  kernel::Value* zero = b.constant(dtype, 0);
  kernel::Value* sum = fold_over(c, counts, Combine::add, wide, [&](const Indices& j) {
    Indices at(c.indices().begin(), c.indices().end() - static_cast<std::ptrdiff_t>(holders.size())), taps;
    kernel::Value* inside = nullptr;
    for (std::size_t d = 0; d < holders.size(); ++d) {
      at.push_back(holders[d].window(j[d]));
      taps.push_back(holders[d].tap(j[d]));
      if (kernel::Value* holds = holders[d].holds(b, j[d])) inside = inside ? b.bit_and(inside, holds) : holds;
    }
    kernel::Value* here = b.convert(b.index_value(kernel::flatten(taps, sizes)), DType::i32);
    if (!inside) return b.convert(b.select(b.eq(c.read(1, at), here), c.read(0, at), zero), wide);
    kernel::Value* hit = b.eq(c.read_if(inside, 1, at, b.integer(DType::i32, -1)), here);
    return b.convert(b.select(b.bit_and(inside, hit), c.read_if(inside, 0, at, zero), zero), wide);
  });
  return b.convert(sum, dtype);
}

// Window by window, as the definition says.
void eval_window_scatter(EvalContext& c) {
  const Windows w = windows_of(c.op());
  const ir::Literal &g = c.operand(0), &taps = c.operand(1);
  const auto rank = static_cast<std::ptrdiff_t>(w.rank());
  const std::vector<std::int64_t> sizes = ir::static_dims(w.sizes),
                                  plane = ir::static_dims(c.attributes().shape("sizes"));
  std::size_t elements = 1;
  for (const std::int64_t size : c.result().dims) elements *= static_cast<std::size_t>(size);
  std::vector<double> sums(is_float(g.dtype) ? elements : 0);
  std::vector<std::uint64_t> integer_sums(is_float(g.dtype) ? 0 : elements);
  for_each_index(g.dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
    const std::int64_t number = taps.as_integer(position);
    std::vector<std::int64_t> tap(sizes.size()), at;
    std::int64_t rest = number;
    for (std::size_t d = sizes.size(); d-- > 0; rest /= sizes[d]) tap[d] = rest % sizes[d];
    if (number < 0 || rest > 0 || !place_of(w, plane, {index.end() - rank, index.end()}, tap, at)) return;
    std::vector<std::int64_t> to(index.begin(), index.end() - rank);
    to.insert(to.end(), at.begin(), at.end());
    const auto target = static_cast<std::size_t>(position_of(to, c.result().dims));
    if (is_float(g.dtype))
      sums[target] += g.as_double(position);
    else
      integer_sums[target] += static_cast<std::uint64_t>(g.as_integer(position));
  });
  for (std::size_t i = 0; i < sums.size(); ++i) c.result().set(static_cast<std::int64_t>(i), sums[i]);
  for (std::size_t i = 0; i < integer_sums.size(); ++i)
    c.result().set_integer(static_cast<std::int64_t>(i), static_cast<std::int64_t>(integer_sums[i]));
}

// dg = the elements of the cotangent at the taps; 0 for one in the padding.
void window_scatter_vjp(GradContext& c) {
  if (!c.needs_grad(0)) return;
  const Value g = c.operand(0), taps = c.operand(1), cotangent = c.out_grad();
  const Shape& sizes = c.attributes().shape("sizes");
  const auto lead = static_cast<std::ptrdiff_t>(g.rank() - sizes.size());
  const auto planes = [&](Value x) {
    Shape shape(x.shape().begin(), x.shape().begin() + lead);
    Dim plane = 1;
    for (std::size_t d = shape.size(); d < x.rank(); ++d) plane = plane * x.size(d);
    shape.push_back(plane);
    return reshape(x, shape);
  };
  const Value positions = window_positions(taps, windows_of(c.op()), sizes);
  const Value picked = reshape(gather(planes(cotangent), planes(positions), lead, lead), g.shape());
  c.add_grad(0, select(ge(positions, full_like(positions, 0)), picked, full_like(picked, 0)));
}

std::vector<Sample> scatter_samples() {
  const Dim a = dim("a"), b = dim("b");
  const auto sample = [](Shape g, const Windows& w, Shape sizes, double low, double high, DType dtype = DType::f32) {
    Sample made{
        .shapes = {g, g}, .attributes = w.attributes(), .dtypes = {dtype, DType::i32}, .low = low, .high = high};
    ir::Integers window;
    for (const Dim& size : w.sizes) window.push_back(size.constant());
    made.attributes.set("window", std::move(window));
    made.attributes.set("sizes", std::move(sizes));
    return made;
  };
  return {sample({a, b, 3, 3}, {{2, 2}, {2, 2}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, {6, 6}, 0, 3),
          sample({a, 2, 3, 4}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {0, 1}, {0, 1}}, {7, 8}, -1, 8),
          sample({a, b, 1, 1}, {{2, 3}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, {2, 3}, 0, 5),
          sample({a, 3}, {{11}, {1}, {1}, {1}, {1}, {1}}, {11}, 0, 10),
          sample({2, 5}, {{3}, {2}, {1}, {2}, {2}, {2}}, {9}, 0, 2),
          sample({3, 4}, {{2}, {3}, {1}, {1}, {0}, {1}}, {10}, 0, 1),
          sample({2, 5}, {{2}, {2}, {3}, {1}, {1}, {0}}, {4}, 0, 1),
          sample({3, 1, 17}, {{2, 35}, {2, 1}, {1, 1}, {1, 1}, {0, 8}, {0, 8}}, {2, 35}, 0, 69),
          sample({5, 2}, {{4}, {2}, {1}, {1}, {1}, {1}}, {4}, 0, 3, DType::i32)};
}

}  // namespace

const OpDef op_window_argmax{
    .name = "window_argmax",
    .arity = 1,
    .doc =
        "Which tap of each window of the last axes holds its first maximum (or NaN): its row-major number within the "
        "window, as i32; -1 for a window of padding alone.",
    .infer = infer_argmax,
    .no_vjp = "the result holds numbers of taps, which have no gradient",
    .element = lower_argmax,
    .eval = eval_argmax,
    .samples = window_samples(),
};

const OpDef op_window_scatter{
    .name = "window_scatter",
    .arity = 2,
    .doc =
        "(g, taps): a tensor whose last axes have `sizes`, in which each g is added where this tap of its window lies, "
        "numbered as window_argmax of the same windows does; one in the padding is left out. The gradient of "
        "reduce_window_max. Gradient: dg = the cotangent at the taps.",
    .traits = {.is_linear = true},
    .infer = infer_window_scatter,
    .vjp = window_scatter_vjp,
    .element = lower_scatter,
    .eval = eval_window_scatter,
    .samples = scatter_samples(),
};

}  // namespace pullback::ops
