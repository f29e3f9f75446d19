#include "compiler/ops/windows.h"

#include <fmt/format.h>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ops/ops.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;

// floor(span / stride) for a span that may hold symbols: only its constant term may leave a remainder.
Dim divided(const InferContext& c, std::size_t axis, const Dim& span, std::int64_t stride) {
  Bindings zeros;
  for (const std::string& symbol : span.symbols()) zeros[symbol] = 0;
  const std::int64_t constant = span.substitute(zeros).constant();
  const std::int64_t rest = (constant % stride + stride) % stride;
  const std::optional<Dim> quotient = (span - Dim(rest)).divided_by(stride);
  if (!quotient)
    c.fail(fmt::format("window axis {}: {} positions can't be walked in steps of {} before the size is known", axis,
                       span.to_string(), stride));
  return *quotient;
}

void require_positive(const InferContext& c, const Integers& values, const char* what) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] < 1) c.fail(fmt::format("window axis {}: {} {} is below 1", i, what, values[i]));
}

}  // namespace

ir::Attributes Windows::attributes() const {
  return {{"strides", strides},
          {"low", low},
          {"high", high},
          {"base_dilation", base_dilation},
          {"window_dilation", window_dilation}};
}

Windows Windows::of(const ir::Attributes& attributes, Shape sizes) {
  return {std::move(sizes),
          attributes.integers("strides"),
          attributes.integers("base_dilation"),
          attributes.integers("window_dilation"),
          attributes.shape("low"),
          attributes.shape("high")};
}

Windows Windows::of(const InferContext& c, Shape sizes) {
  Windows w{std::move(sizes),
            c.attribute<Integers>("strides"),
            c.attribute<Integers>("base_dilation"),
            c.attribute<Integers>("window_dilation"),
            c.attribute<Shape>("low"),
            c.attribute<Shape>("high")};
  for (const std::size_t entries :
       {w.strides.size(), w.base_dilation.size(), w.window_dilation.size(), w.low.size(), w.high.size()})
    if (entries != w.rank()) c.fail(fmt::format("each attribute of the window needs {} entries", w.rank()));
  for (std::size_t d = 0; d < w.rank(); ++d)
    if (w.sizes[d].is_constant() && w.sizes[d].constant() < 1)
      c.fail(fmt::format("window axis {}: the window size {} is below 1", d, w.sizes[d].to_string()));
  require_positive(c, w.strides, "the stride");
  require_positive(c, w.base_dilation, "the base dilation");
  require_positive(c, w.window_dilation, "the window dilation");
  return w;
}

Dim Windows::count(const InferContext& c, std::size_t axis, const Dim& size) const {
  if (base_dilation[axis] > 1 && size == Dim(0)) c.fail(fmt::format("window axis {} has no elements to spread", axis));
  const Dim padded = (size - 1) * base_dilation[axis] + 1 + low[axis] + high[axis];
  const Dim rest = padded - span(axis);
  if (rest.is_constant() && rest.constant() < 0)
    c.fail(
        fmt::format("window axis {}: the window spans {} elements, but only {} are there (size {}, padding {} and "
                    "{})",
                    axis, span(axis).to_string(), padded.to_string(), size.to_string(), low[axis].to_string(),
                    high[axis].to_string()));
  return divided(c, axis, rest, strides[axis]) + 1;
}

// Element t of the dilated operand is tap r of window p where t = p*stride + r*window_dilation - low. Seen from t, the
// result is what is dilated (by stride), and r counts backwards.
Windows Windows::transposed(const Shape& operand, const Shape& result) const {
  Windows t{sizes, base_dilation, strides, window_dilation, {}, {}};
  for (std::size_t d = 0; d < rank(); ++d) {
    t.low.push_back(span(d) - 1 - low[d]);
    t.high.push_back((operand[d] - 1) * base_dilation[d] + low[d] - (result[d] - 1) * strides[d]);
  }
  return t;
}

namespace {

ir::Attributes with_sizes(const Windows& windows) {
  ir::Attributes attributes = windows.attributes();
  Integers sizes;
  for (const Dim& size : windows.sizes) sizes.push_back(size.constant());
  attributes.set("window", std::move(sizes));
  return attributes;
}

Value make(const OpDef& op, const std::vector<Value>& operands, ir::Attributes attributes) {
  std::vector<ir::Value*> values;
  for (const Value& operand : operands) values.push_back(operand.value);
  ir::Builder& b = *operands.front().builder;
  return {b, b.value(op, std::move(values), std::move(attributes))};
}

}  // namespace

Value convolution(Value x, Value w, const Windows& windows, std::int64_t groups, std::int64_t batch_groups) {
  ir::Attributes attributes = windows.attributes();
  attributes.set("groups", groups);
  attributes.set("batch_groups", batch_groups);
  return make(op_convolution, {x, w}, std::move(attributes));
}

Value reduce_window_sum(Value x, const Windows& windows) {
  return make(op_reduce_window_sum, {x}, with_sizes(windows));
}
Value reduce_window_max(Value x, const Windows& windows) {
  return make(op_reduce_window_max, {x}, with_sizes(windows));
}
Value window_argmax(Value x, const Windows& windows) {
  return make(op_window_argmax, {x}, with_sizes(windows));
}

Value window_scatter(Value g, Value taps, const Windows& windows, Shape sizes) {
  ir::Attributes attributes = with_sizes(windows);
  attributes.set("sizes", std::move(sizes));
  return make(op_window_scatter, {g, taps}, std::move(attributes));
}

namespace {

/// A size as an i64 of the shape of `like`, also while it is a symbol: a sum of ones.
Value size_like(Value like, const Dim& size) {
  if (size.is_constant()) return full_like(like, static_cast<double>(size.constant()));
  return broadcast_scalar(reduce_sum(full(*like.builder, {DType::i64, {size}}, 1), {0}), like.shape());
}

}  // namespace

Value window_positions(Value taps, const Windows& windows, const Shape& sizes) {
  ir::Builder& b = *taps.builder;
  const Value zero = full(b, {DType::i64, taps.shape()}, 0), number = convert(taps, DType::i64);
  Value rest = maximum(number, zero), position = zero, inside = ge(number, zero);
  Dim step = 1;
  for (std::size_t d = windows.rank(); d-- > 0;) {
    const auto axis = static_cast<std::int64_t>(taps.rank() - windows.rank() + d);
    const Value taps_here = size_like(zero, windows.sizes[d]),
                dilation = full_like(zero, static_cast<double>(windows.base_dilation[d]));
    const Value tap = rem(rest, taps_here), window = iota(b, DType::i64, taps.shape(), axis);
    rest = div(rest, taps_here);
    const Value spread = window * static_cast<double>(windows.strides[d]) +
                         tap * static_cast<double>(windows.window_dilation[d]) - size_like(zero, windows.low[d]);
    const Value at = div(spread, dilation);
    inside = bit_and(inside, bit_and(ge(spread, zero), lt(at, size_like(zero, sizes[d]))));
    if (windows.base_dilation[d] > 1) inside = bit_and(inside, eq(rem(spread, dilation), zero));
    position = position + at * size_like(zero, step);
    step = step * sizes[d];
  }
  return select(inside, position, full_like(position, -1));
}

TapPlace place_of(kernel::Builder& b, const Windows& w, const std::vector<std::int64_t>& dims, const Indices& window,
                  const Indices& tap) {
  TapPlace place;
  const auto require = [&](kernel::Value* condition) {
    place.inside = place.inside ? b.bit_and(place.inside, condition) : condition;
  };
  for (std::size_t d = 0; d < w.rank(); ++d) {
    const std::int64_t step = w.base_dilation[d], last = (dims[d] - 1) * step;
    const kernel::Index position =
        window[d] * w.strides[d] + tap[d] * w.window_dilation[d] - kernel::Index(w.low[d].constant());
    const kernel::Range range = position.range();
    if (range.low < 0) require(b.ge(b.index_value(position), b.integer(DType::i64, 0)));
    if (range.high > last) require(b.le(b.index_value(position), b.integer(DType::i64, last)));
    if (step > 1) require(b.eq(b.index_value(kernel::mod(position, step)), b.integer(DType::i64, 0)));
    place.at.push_back(step > 1 ? kernel::floordiv(position, step) : position);
  }
  return place;
}

bool place_of(const Windows& w, const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& window,
              const std::vector<std::int64_t>& tap, std::vector<std::int64_t>& at) {
  at.resize(w.rank());
  for (std::size_t d = 0; d < w.rank(); ++d) {
    const std::int64_t position = window[d] * w.strides[d] + tap[d] * w.window_dilation[d] - w.low[d].constant();
    if (position < 0 || position % w.base_dilation[d] != 0) return false;
    at[d] = position / w.base_dilation[d];
    if (at[d] >= dims[d]) return false;
  }
  return true;
}

}  // namespace pullback::ops
