#include "compiler/ops/window_fold.h"

#include <fmt/format.h>

namespace pullback::ops {

namespace {

using Integers = ir::Integers;

// Folds of up to as many elements are written out; more run in loops.
constexpr std::int64_t kUnrolled = 16;

Shape sizes_of(const Integers& window) {
  return {window.begin(), window.end()};
}

}  // namespace

Windows windows_of(const ir::Op& op) {
  return Windows::of(op.attributes, sizes_of(op.attributes.integers("window")));
}

Shape windowed_shape(const InferContext& c) {
  return windowed_shape(c, c.shape(0));
}

Shape windowed_shape(const InferContext& c, const Shape& shape) {
  const Windows w = Windows::of(c, sizes_of(c.attribute<Integers>("window")));
  if (w.rank() > shape.size())
    c.fail(fmt::format("a window of {} axes needs an operand of at least as many", w.rank()));
  Shape result = shape;
  const std::size_t lead = shape.size() - w.rank();
  for (std::size_t d = 0; d < w.rank(); ++d) result[lead + d] = w.count(c, d, shape[lead + d]);
  return result;
}

WindowFold::WindowFold(LowerContext& c, Windows windows) : windows_(std::move(windows)) {
  const std::vector<std::int64_t> dims = c.operand_dims(0);
  dims_.assign(dims.end() - static_cast<std::ptrdiff_t>(windows_.rank()), dims.end());
  for (const Dim& size : windows_.sizes) sizes_.push_back(size.constant());
}

TapPlace WindowFold::place(LowerContext& c, const Indices& tap) const {
  const Indices& index = c.indices();
  const auto lead = index.end() - static_cast<std::ptrdiff_t>(windows_.rank());
  TapPlace place = place_of(c.build(), windows_, dims_, Indices(lead, index.end()), tap);
  place.at.insert(place.at.begin(), index.begin(), lead);
  return place;
}

kernel::Value* fold_over(LowerContext& c, const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                         const std::function<kernel::Value*(const Indices&)>& body) {
  std::int64_t count = 1;
  for (const std::int64_t extent : extents) count *= extent;
  if (count > kUnrolled) return c.reduce(extents, how, dtype, body);
  kernel::Value* folded = nullptr;
  for_each_index(extents, [&](const std::vector<std::int64_t>& index, std::int64_t) {
    kernel::Value* element = body(Indices(index.begin(), index.end()));
    folded = folded ? c.build().combine(how, folded, element) : element;
  });
  return folded;
}

void for_each_window(const EvalContext& c,
                     const std::function<void(std::int64_t position, const std::vector<WindowTap>& taps)>& visit) {
  const Windows w = windows_of(c.op());
  const std::vector<std::int64_t> sizes = ir::static_dims(w.sizes), &x = c.operand(0).dims;
  const auto rank = static_cast<std::ptrdiff_t>(w.rank());
  const std::vector<std::int64_t> dims(x.end() - rank, x.end());
  for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
    std::vector<WindowTap> taps;
    std::vector<std::int64_t> at;
    for_each_index(sizes, [&](const std::vector<std::int64_t>& tap, std::int64_t number) {
      if (!place_of(w, dims, {index.end() - rank, index.end()}, tap, at)) return;
      std::vector<std::int64_t> full(index.begin(), index.end() - rank);
      full.insert(full.end(), at.begin(), at.end());
      taps.push_back({number, position_of(full, x)});
    });
    visit(position, taps);
  });
}

bool is_larger(const ir::Literal& x, std::int64_t i, std::int64_t j) {
  if (!is_float(x.dtype)) return x.as_integer(i) > x.as_integer(j);
  const double a = x.as_double(i), b = x.as_double(j);
  return a > b || (a != a && b == b);
}

std::vector<Sample> window_samples() {
  struct Geometry {
    Integers window, strides, low, high, base_dilation, window_dilation;
  };
  const auto sample = [](Shape x, const Geometry& g, DType dtype = DType::f32) {
    const std::size_t rank = g.window.size();
    const auto filled = [&](const Integers& values, std::int64_t otherwise) {
      return values.empty() ? Integers(rank, otherwise) : values;
    };
    const Windows windows{sizes_of(g.window),           filled(g.strides, 1),       filled(g.base_dilation, 1),
                          filled(g.window_dilation, 1), sizes_of(filled(g.low, 0)), sizes_of(filled(g.high, 0))};
    Sample made{.shapes = {std::move(x)}, .attributes = windows.attributes(), .dtypes = {dtype}};
    made.attributes.set("window", g.window);
    if (dtype != DType::f32) made.low = 0, made.high = 9;
    return made;
  };
  const Dim a = dim("a"), b = dim("b");
  return {sample({a, b, 6, 8}, {.window = {2, 2}, .strides = {2, 2}}),
          sample({2, a, 5, 7}, {.window = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}}),
          sample({a, 9}, {.window = {2}, .strides = {2}, .low = {0}, .high = {1}, .window_dilation = {3}}),
          sample({3, 37}, {.window = {4}, .low = {2}, .high = {1}}),
          sample({2, 7, 6}, {.window = {5, 4}, .low = {-1, 3}, .high = {2, -1}}),
          sample({2, 3, 4}, {.window = {2, 3}, .low = {1, 2}, .high = {1, 0}, .base_dilation = {2, 3}}),
          sample({2, 4, 3, 5}, {.window = {2, 2, 3}, .strides = {1, 2, 1}}),
          sample({3, 11}, {.window = {3}, .strides = {2}}, DType::i32)};
}

}  // namespace pullback::ops
