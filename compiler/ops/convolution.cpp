// convolution: sums of products over windows (StableHLO's convolution, with the axes in PyTorch's order).
#include "compiler/ops/convolution.h"

#include <fmt/format.h>

#include "compiler/ops/contraction.h"
#include "compiler/ops/define.h"
#include "compiler/ops/windows.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;
using Role = ContractionSpec::Role;

Shape trailing(const Shape& shape) {
  return {shape.begin() + 2, shape.end()};
}

Windows convolution_windows(const ir::Op& op) {
  return Windows::of(op.attributes, trailing(op.operand(1)->type.shape));
}

Dim quotient(const InferContext& c, const Dim& size, std::int64_t groups, const char* what) {
  const std::optional<Dim> each = size.divided_by(groups);
  if (!each) c.fail(fmt::format("{} {} can't be divided into {} groups", size.to_string(), what, groups));
  return *each;
}

std::vector<ir::Type> infer_convolution(const InferContext& c) {
  c.require_number(0);
  c.require_same_dtype(0, 1);
  if (c.rank(0) < 2 || c.rank(0) != c.rank(1))
    c.fail("x [N,C,spatial...] and w [O,C/groups,spatial...] need equal ranks of at least 2");
  const auto groups = c.attribute<std::int64_t>("groups"), batch_groups = c.attribute<std::int64_t>("batch_groups");
  if (groups < 1 || batch_groups < 1 || (groups > 1 && batch_groups > 1))
    c.fail(
        fmt::format("{} groups and {} batch groups: both are at least 1, and one of them is 1", groups, batch_groups));
  const Shape &x = c.shape(0), &w = c.shape(1);
  const Dim each = quotient(c, x[1], groups, "channels");
  if (each != w[1])
    c.fail(fmt::format("{} channels in {} groups are {} each, but w has {}", x[1].to_string(), groups, each.to_string(),
                       w[1].to_string()));
  quotient(c, w[0], groups * batch_groups, "output channels");
  const Windows windows = Windows::of(c, trailing(w));
  Shape shape{quotient(c, x[0], batch_groups, "batch elements"), w[0]};
  for (std::size_t d = 0; d < windows.rank(); ++d) shape.push_back(windows.count(c, d, x[d + 2]));
  return {{c.dtype(0), shape}};
}

// Moves the groups that axis `from` (0 or 1) holds to the other one: [G*a, b, ...] -> [a, G*b, ...] from 0, and
// [a, G*b, ...] -> [G*a, b, ...] from 1.
Value move_groups(Value x, std::int64_t groups, std::size_t from) {
  if (groups == 1) return x;
  Shape split = x.shape(), merged = x.shape();
  split[from] = merged[from] = *x.size(from).divided_by(groups);
  split.insert(split.begin() + static_cast<std::ptrdiff_t>(from), groups);
  merged[1 - from] = merged[1 - from] * groups;
  Integers order = all_axes(split.size());
  std::swap(order[0], order[1]);
  return reshape(transpose(reshape(x, split), order), merged);
}

Value swap_leading(Value x) {
  Integers order = all_axes(x.rank());
  std::swap(order[0], order[1]);
  return transpose(x, order);
}

Integers window_axes(std::size_t rank) {
  Integers axes;
  for (std::size_t d = 2; d < rank; ++d) axes.push_back(static_cast<std::int64_t>(d));
  return axes;
}

// Input gradient: the windows of dx over g; kernels are mirrored, input and output channels change places within their
// group. With batch groups each group has its own kernels and its own part of the batch: the groups of g's channels
// give channels, which then become batch elements.
Value input_gradient(GradContext& c) {
  const auto groups = c.attributes().integer("groups"), batch_groups = c.attributes().integer("batch_groups");
  const Value x = c.operand(0), w = c.operand(1), g = c.out_grad();
  const std::int64_t parts = groups * batch_groups;
  const Windows windows = convolution_windows(c.op()).transposed(trailing(x.shape()), trailing(g.shape()));
  // w:[G*O,C,...] -> [G*C,O,...]: swapped to [C,G*O], then the groups go over to C.
  const Value mirrored = reverse(move_groups(swap_leading(w), parts, 1), window_axes(w.rank()));
  return move_groups(convolution(g, mirrored, windows, parts), batch_groups, 1);  // [B,G*C] -> [G*B,C]
}

// Weight gradient: x slides over by as much as g's elements lie apart: batch elements are summed over as channels are,
// and channels are kept as batch elements are. dw[o,c,r] = sum_{n,p} x[n,c,p*stride + r*dilation - low] * g[n,o,p].
Value weight_gradient(GradContext& c) {
  const auto groups = c.attributes().integer("groups"), batch_groups = c.attributes().integer("batch_groups");
  const Value x = c.operand(0), w = c.operand(1), g = c.out_grad();
  const Windows forward = convolution_windows(c.op());
  Windows windows{
      trailing(g.shape()), forward.window_dilation, forward.base_dilation, forward.strides, forward.low, {}};
  for (std::size_t d = 0; d < windows.rank(); ++d)
    windows.high.push_back((w.size(d + 2) - 1) * forward.window_dilation[d] + (g.size(d + 2) - 1) * forward.strides[d] -
                           (x.size(d + 2) - 1) * forward.base_dilation[d] - forward.low[d]);
  // Feature groups: x:[N,G*C] -> [G*C,N], a batch in groups. Batch groups: x:[G*B,C] -> [C,G*B], channels in groups.
  return swap_leading(convolution(swap_leading(x), swap_leading(g), windows, batch_groups, groups));
}

void convolution_vjp(GradContext& c) {
  if (c.needs_grad(0)) c.add_grad(0, input_gradient(c));
  if (c.needs_grad(1)) c.add_grad(1, weight_gradient(c));
}

// Sizes of all loops, and the maps without padding. Loop dimensions: group, output channel, batch, windows, then input
// channel and taps.
ContractionSpec convolution_contraction(const ir::Op& op) {
  const Windows w = convolution_windows(op);
  const std::vector<std::int64_t> x = ir::static_dims(op.operand(0)->type.shape),
                                  k = ir::static_dims(op.operand(1)->type.shape),
                                  y = ir::static_dims(op.result()->type.shape);
  const std::int64_t groups = op.attributes.integer("groups"), batch_groups = op.attributes.integer("batch_groups");
  ContractionSpec spec;
  spec.lhs = 1;
  spec.rhs = 0;
  spec.accumulate = op.result()->type.dtype == DType::f64 ? DType::f64 : DType::f32;
  spec.a = {k, std::vector<ContractionSpec::Coordinate>(k.size())};
  spec.b = {x, std::vector<ContractionSpec::Coordinate>(x.size())};
  spec.c = {y, std::vector<ContractionSpec::Coordinate>(y.size())};
  const auto add = [&](Role role, std::int64_t size) {
    spec.dimensions.push_back({role, size});
    return spec.dimensions.size() - 1;
  };
  const std::int64_t outputs = k[0] / (groups * batch_groups);
  const std::size_t group = add(Role::batch, groups * batch_groups), output = add(Role::m, outputs),
                    batch = add(Role::n, y[0]);
  spec.a.coordinates[0] = spec.c.coordinates[1] = {0, {{group, outputs}, {output, 1}}};
  spec.b.coordinates[0] = {0, {{batch, 1}}};
  spec.c.coordinates[0] = {0, {{batch, 1}}};
  if (batch_groups > 1) spec.b.coordinates[0].terms.push_back({group, y[0]});
  std::vector<std::size_t> window;
  for (std::size_t d = 0; d < w.rank(); ++d) {
    window.push_back(add(Role::n, y[d + 2]));
    spec.c.coordinates[d + 2] = {0, {{window[d], 1}}};
  }
  const std::size_t input = add(Role::k, k[1]);
  spec.a.coordinates[1] = spec.b.coordinates[1] = {0, {{input, 1}}};
  if (groups > 1) spec.b.coordinates[1].terms.push_back({group, k[1]});
  for (std::size_t d = 0; d < w.rank(); ++d) {
    const std::size_t tap = add(Role::k, k[d + 2]);
    spec.a.coordinates[d + 2] = {0, {{tap, 1}}};
    spec.b.coordinates[d + 2] = {
        -w.low[d].constant(), {{window[d], w.strides[d]}, {tap, w.window_dilation[d]}}, w.base_dilation[d]};
    spec.b.bounded |= w.base_dilation[d] > 1 || w.low[d] != Dim(0) || w.high[d] != Dim(0);
  }
  return spec;
}

// What a result element needs of both operands: the extents of its sum, and the indices of one of its products.
struct Products {
  Windows windows;
  std::int64_t channels = 0, outputs = 0, batch = 0;  ///< of one group
  std::int64_t groups = 1, batch_groups = 1;
  std::vector<std::int64_t> x, extents;

  explicit Products(const ir::Op& op)
      : windows(convolution_windows(op)), x(ir::static_dims(op.operand(0)->type.shape)) {
    const std::vector<std::int64_t> w = ir::static_dims(op.operand(1)->type.shape);
    groups = op.attributes.integer("groups");
    batch_groups = op.attributes.integer("batch_groups");
    channels = w[1];
    outputs = w[0] / (groups * batch_groups);
    batch = x[0] / batch_groups;
    extents.assign(w.begin() + 1, w.end());
  }
  std::vector<std::int64_t> spatial() const { return {x.begin() + 2, x.end()}; }
};

kernel::Value* lower_convolution(LowerContext& c) {
  kernel::Builder& b = c.build();
  const Products p(c.op());
  const DType dtype = c.op().result()->type.dtype;
  const DType wide = !is_float(dtype) ? dtype : dtype == DType::f64 ? DType::f64 : DType::f32;
  const Indices outer = c.indices(), window(outer.begin() + 2, outer.end());
  const kernel::Index group = kernel::floordiv(outer[1], std::max<std::int64_t>(p.outputs, 1));
  kernel::Value* zero = b.constant(dtype, 0);
  kernel::Value* sum = c.reduce(p.extents, kernel::Combine::add, wide, [&](const Indices& inner) {
    const Indices tap(inner.begin() + 1, inner.end());
    const TapPlace place = place_of(b, p.windows, p.spatial(), window, tap);
    Indices x{outer[0], inner[0]}, w{outer[1]};
    if (p.batch_groups > 1) x[0] += group * p.batch;
    if (p.groups > 1) x[1] += group * p.channels;
    x.insert(x.end(), place.at.begin(), place.at.end());
    w.insert(w.end(), inner.begin(), inner.end());
    kernel::Value* element = place.inside ? c.read_if(place.inside, 0, x, zero) : c.read(0, x);
    return b.mul(b.convert(element, wide), b.convert(c.read(1, w), wide));
  });
  return b.convert(sum, dtype);
}

void eval_convolution(EvalContext& c) {
  const Products p(c.op());
  const ir::Literal &x = c.operand(0), &w = c.operand(1);
  const std::vector<std::int64_t> spatial = p.spatial();
  std::vector<std::int64_t> at;
  for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& outer, std::int64_t position) {
    const std::vector<std::int64_t> window(outer.begin() + 2, outer.end());
    const std::int64_t group = outer[1] / p.outputs;
    double sum = 0;
    std::uint64_t integer_sum = 0;
    for_each_index(p.extents, [&](const std::vector<std::int64_t>& inner, std::int64_t) {
      if (!place_of(p.windows, spatial, window, {inner.begin() + 1, inner.end()}, at)) return;
      std::vector<std::int64_t> from{outer[0] + (p.batch_groups > 1 ? group * p.batch : 0),
                                     inner[0] + (p.groups > 1 ? group * p.channels : 0)};
      from.insert(from.end(), at.begin(), at.end());
      std::vector<std::int64_t> kernel{outer[1]};
      kernel.insert(kernel.end(), inner.begin(), inner.end());
      const std::int64_t i = position_of(from, x.dims), j = position_of(kernel, w.dims);
      if (is_float(x.dtype))
        sum += x.as_double(i) * w.as_double(j);
      else
        integer_sum += static_cast<std::uint64_t>(x.as_integer(i)) * static_cast<std::uint64_t>(w.as_integer(j));
    });
    if (is_float(x.dtype))
      c.result().set(position, sum);
    else
      c.result().set_integer(position, static_cast<std::int64_t>(integer_sum));
  });
}

struct Geometry {
  Integers strides, low, high, base_dilation, window_dilation;
  std::int64_t groups = 1, batch_groups = 1;
};

Sample convolution_sample(Shape x, Shape w, const Geometry& g, DType dtype = DType::f32) {
  const std::size_t rank = x.size() - 2;
  const auto filled = [&](const Integers& values, std::int64_t otherwise) {
    return values.empty() ? Integers(rank, otherwise) : values;
  };
  const auto shape = [&](const Integers& values) {
    const Integers all = filled(values, 0);
    return Shape(all.begin(), all.end());
  };
  Windows windows{Shape(w.begin() + 2, w.end()), filled(g.strides, 1), filled(g.base_dilation, 1),
                  filled(g.window_dilation, 1),  shape(g.low),         shape(g.high)};
  Sample sample{.shapes = {std::move(x), std::move(w)}, .attributes = windows.attributes(), .dtypes = {dtype, dtype}};
  sample.attributes.set("groups", g.groups);
  sample.attributes.set("batch_groups", g.batch_groups);
  return sample;
}

std::vector<Sample> convolution_samples() {
  const Dim a = dim("a"), b = dim("b");
  const Geometry same{.low = {1, 1}, .high = {1, 1}};
  return {convolution_sample({a, 3, 4, 5}, {b, 3, 3, 3}, same),
          convolution_sample({2, a, 3, 6}, {b, a, 1, 1}, {}),
          convolution_sample({a, 4, 9}, {6, 2, 3}, {.strides = {2}, .low = {1}, .high = {2}, .groups = 2}),
          convolution_sample({2, 5, 7, 6}, {5, 1, 3, 2}, {.low = {1, 0}, .high = {0, 1}, .groups = 5}),
          convolution_sample({3, 2, 9, 8}, {3, 2, 2, 3}, {.strides = {3, 2}, .low = {-1, 2}, .high = {2, -1}}),
          convolution_sample({2, 2, 4, 3}, {3, 2, 3, 3},
                             {.low = {2, 1}, .high = {3, 2}, .base_dilation = {2, 3}, .window_dilation = {1, 2}}),
          convolution_sample({2, 3, 4, 5}, {4, 3, 3, 2}, {.low = {2, -1}, .high = {1, 3}, .base_dilation = {3, 2}}),
          convolution_sample({2, 2, 5}, {3, 2, 2}, {.low = {1}, .high = {2}, .base_dilation = {3}}),
          convolution_sample({1, 2, 3, 4, 3}, {2, 2, 2, 3, 2}, {.low = {1, 0, 1}, .high = {1, 0, 1}}),
          convolution_sample({4, 3, 6}, {6, 3, 2}, {.strides = {2}, .low = {1}, .high = {1}, .batch_groups = 2}),
          convolution_sample({2, 17, 5, 33}, {19, 17, 3, 3}, same),
          convolution_sample({2, a, 7, 45}, {8, a, 3, 3}, same),
          convolution_sample({2, 8, 11, 10}, {16, 4, 3, 3},
                             {.strides = {2, 2}, .low = {1, 1}, .high = {1, 1}, .groups = 2}),
          convolution_sample({a, 3, 12, 13}, {9, 3, 5, 3}, {.low = {2, 2}, .high = {2, 2}, .window_dilation = {1, 2}}),
          convolution_sample({5, 9, 2, 3}, {12, 9, 3, 3}, {.low = {2, 2}, .high = {2, 2}}),
          convolution_sample({3, a, 37}, {10, a, 5}, {.low = {2}, .high = {1}}),
          convolution_sample({2, 2, 3, 5, 4}, {8, 2, 2, 3, 3}, {.low = {1, 1, 1}, .high = {0, 1, 1}}),
          convolution_sample({1, 3, 5, 21}, {8, 3, 1, 19}, {.low = {1, 9}, .high = {2, 9}}),
          convolution_sample({2, 3, 4}, {4, 3, 2}, {.low = {1}}, DType::i32)};
}

}  // namespace

bool suits_channels_last(const ir::Op& op) {
  constexpr std::int64_t kFewChannels = 8;
  if (op.def != &op_convolution || op.result()->type.rank() < 3 || !is_float(op.result()->type.dtype)) return false;
  const Shape &x = op.operand(0)->type.shape, &w = op.operand(1)->type.shape;
  if (!w[0].is_constant()) return false;
  const std::int64_t groups = op.attributes.integer("groups"), batch_groups = op.attributes.integer("batch_groups");
  // Depthwise: each channel (or each element of the batch, where the kernels' gradient is computed) has its own kernel.
  const bool depthwise = w[0].constant() == groups * batch_groups && (groups == 1 || x[1] == Dim(groups)) &&
                         (batch_groups == 1 || x[0] == Dim(batch_groups));
  return w[0].constant() / (depthwise ? 1 : groups * batch_groups) >= kFewChannels;
}

bool is_convolution(const ir::Op& op) {
  return op.def == &op_convolution || op.def == &op_winograd_convolution || op.def == &op_winograd_products;
}

Integers channels_last(std::size_t rank) {
  Integers order = all_axes(rank);
  order.erase(order.begin() + 1);
  order.push_back(1);
  return order;
}

const OpDef op_convolution{
    .name = "convolution",
    .arity = 2,
    .doc =
        "(x [N,C,S...], w [O,C/groups,K...]): y[n,o,p] = sum over c and taps r of x[n,c,p*stride + r*window_dilation - "
        "low] * w[o,c,r], where what lies outside of x, or between its elements when base_dilation spreads them, is 0. "
        "Output channels of one of `groups` see the input channels of that group; of one of `batch_groups`, that part "
        "of the batch. f16 and bf16 accumulate in f32. Gradients are convolutions again: dx of g, spread by the "
        "stride, with mirrored kernels; dw of x with g as the kernel, spread by the stride. Source: StableHLO.",
    .traits = {},
    .infer = infer_convolution,
    .vjp = convolution_vjp,
    .element = lower_convolution,
    .contraction = convolution_contraction,
    .eval = eval_convolution,
    .samples = convolution_samples(),
};

}  // namespace pullback::ops
