// winograd_filter and winograd_convolution, winograd_products and winograd_result: convolutions and the gradients of
// their kernels by fewer products, made by lowering where that is faster.
#include "compiler/ops/winograd.h"

#include <algorithm>
#include <memory>

#include "compiler/ops/contraction.h"
#include "compiler/ops/define.h"
#include "compiler/ops/evaluate.h"

namespace pullback::ops {

namespace {

using Role = ContractionSpec::Role;
using namespace winograd;

/// The arithmetic of whole tensors.
struct OnTensors {
  Value add(const Value& x, const Value& y) const { return x + y; }
  Value sub(const Value& x, const Value& y) const { return x - y; }
  Value half(const Value& x) const { return x * 0.5; }
};

Windows dense_windows(const InferContext& c, Shape sizes) {
  Windows windows = Windows::of(c, std::move(sizes));
  for (const auto* each : {&windows.strides, &windows.base_dilation, &windows.window_dilation})
    if (*each != ir::Integers{1, 1}) c.fail("windows have neither strides nor dilations");
  return windows;
}

/// Writes what the ops mean in simpler ops, with a tensor for each element of a tile.
class Plain {
 public:
  explicit Plain(const ir::Op& op) : region_(std::make_unique<ir::Region>()), b_(*region_) {
    b_.location = op.location;
    for (const ir::Value* operand : op.operands)
      operands_.emplace_back(b_, region_->add_argument(operand->type, operand->name));
  }

  const Value& operand(std::size_t i) const { return operands_[i]; }
  std::unique_ptr<ir::Region> finish(const Value& result) {
    region_->results = {result.value};
    return std::move(region_);
  }

  /// From x [A,B,H,W] the elements of squares that lie two apart, of `tiles` rows and columns of them: size * size
  /// tensors [A,B,tiles...]. The first begins `low` before x; elements outside are 0.
  std::vector<Value> squares(const Value& x, const std::vector<std::int64_t>& tiles,
                             const std::vector<std::int64_t>& low, int size) {
    Shape before(4, 0), behind(4, 0), limit = x.shape();
    for (std::size_t d = 0; d < 2; ++d) {
      limit[d + 2] = kResults * (tiles[d] - 1) + size;
      before[d + 2] = low[d];
      behind[d + 2] = limit[d + 2] - low[d] - x.size(d + 2);
    }
    const Value padded = pad(x, scalar(b_, x.dtype(), 0), before, behind);
    std::vector<Value> all;
    for (std::int64_t i = 0; i < size; ++i)
      for (std::int64_t j = 0; j < size; ++j)
        all.push_back(slice(padded, {0, 0, i, j},
                            {limit[0], limit[1], i + kResults * (tiles[0] - 1) + 1, j + kResults * (tiles[1] - 1) + 1},
                            {1, 1, kResults, kResults}));
    return all;
  }

  /// The matrices that lie one after the other along the first `axes` axes of x.
  std::vector<Value> matrices(const Value& x, std::size_t axes) {
    Shape merged(x.shape().begin() + static_cast<std::ptrdiff_t>(axes), x.shape().end());
    Dim count = 1;
    for (std::size_t d = 0; d < axes; ++d) count = count * x.size(d);
    const Shape matrix = merged;
    merged.insert(merged.begin(), count);
    const Value all = reshape(x, merged);
    std::vector<Value> each;
    for (std::int64_t i = 0; i < count.constant(); ++i) {
      Shape start(merged.size(), 0), limit = merged;
      start[0] = i;
      limit[0] = i + 1;
      each.push_back(reshape(slice(all, start, limit), matrix));
    }
    return each;
  }

  /// Tensors of one shape along a new axis.
  Value stacked(const std::vector<Value>& parts, std::size_t axis) {
    Shape shape = parts.front().shape();
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    std::vector<Value> all;
    for (const Value& part : parts) all.push_back(reshape(part, shape));
    return concatenate(all, static_cast<std::int64_t>(axis));
  }

 private:
  std::unique_ptr<ir::Region> region_;
  ir::Builder b_;
  std::vector<Value> operands_;
};

/// Of nothing there are no tiles.
bool has_elements(const ir::Op& op) {
  const auto is_empty = [](const ir::Value* v) { return ir::element_count(v->type.shape) == Dim(0); };
  return std::none_of(op.operands.begin(), op.operands.end(), is_empty) && !is_empty(op.result());
}

// ---- winograd_filter

std::vector<ir::Type> infer_winograd_filter(const InferContext& c) {
  c.require_float(0);
  const Shape& w = c.shape(0);
  if (w.size() != 4 || w[2] != Dim(kTaps) || w[3] != Dim(kTaps)) c.fail("w must be [O,C,3,3]");
  return {{c.dtype(0), {kTile, kTile, w[1], w[0]}}};
}

/// For each input channel, by vectors of output channels.
void lower_winograd_filter(LowerContext& c) {
  kernel::Builder& b = c.build();
  const std::vector<std::int64_t> w = c.operand_dims(0);
  const DType dtype = c.op().operand(0)->type.dtype;
  const int width = c.registers().bytes / static_cast<int>(size_of(dtype));
  const OnValues arithmetic{b};
  const auto transform = [&](const std::vector<kernel::Value*>& v) { return transform_filter(v, arithmetic); };
  c.outer_loop(w[1], [&](const kernel::Index& input) {
    b.vector_loop("o", w[0], width, 1, [&](const kernel::Index& output) {
      std::vector<kernel::Value*> taps;
      for (int y = 0; y < kTaps; ++y)
        for (int x = 0; x < kTaps; ++x) taps.push_back(c.read(0, {output, input, kernel::Index(y), kernel::Index(x)}));
      const std::vector<kernel::Value*> u = along_both(taps, kTaps, transform);
      for (int i = 0; i < kTile * kTile; ++i)
        c.store(0, {kernel::Index(i / kTile), kernel::Index(i % kTile), input, output}, u[static_cast<std::size_t>(i)]);
    });
  });
}

std::unique_ptr<ir::Region> mean_winograd_filter(const ir::Op& op) {
  Plain plain(op);
  const Value w = transpose(plain.operand(0), {2, 3, 1, 0});
  const std::vector<Value> u =
      along_both(plain.matrices(w, 2), kTaps, [](const auto& v) { return transform_filter(v, OnTensors()); });
  return plain.finish(reshape(plain.stacked(u, 0), {kTile, kTile, w.size(2), w.size(3)}));
}

// ---- winograd_convolution

Windows winograd_windows(const ir::Op& op) {
  return Windows::of(op.attributes, {kTaps, kTaps});
}

std::vector<ir::Type> infer_winograd(const InferContext& c) {
  c.require_float(0);
  c.require_same_dtype(0, 1);
  if (c.rank(0) != 4 || c.rank(1) != 4 || c.shape(1)[0] != Dim(kTile) || c.shape(1)[1] != Dim(kTile))
    c.fail("x must be [N,C,H,W] and u [4,4,C/groups,O]");
  const Shape &x = c.shape(0), &u = c.shape(1);
  const auto groups = c.attribute<std::int64_t>("groups");
  if (groups < 1 || x[1] != u[2] * groups) c.fail("u has other input channels than x has in each group");
  if (!u[3].divided_by(groups)) c.fail("output channels can't be divided into so many groups");
  const Windows windows = dense_windows(c, {kTaps, kTaps});
  return {{c.dtype(0), {x[0], u[3], windows.count(c, 0, x[2]), windows.count(c, 1, x[3])}}};
}

// What a result depends on, as loops over the elements of tiles: those of u and of x that its sums are made of, and a
// few more of x. Products are of these transformed, 16 for 4 results.
ContractionSpec winograd_contraction(const ir::Op& op) {
  const Windows w = winograd_windows(op);
  const std::vector<std::int64_t> x = ir::static_dims(op.operand(0)->type.shape),
                                  u = ir::static_dims(op.operand(1)->type.shape),
                                  y = ir::static_dims(op.result()->type.shape);
  ContractionSpec spec;
  spec.lhs = 1;
  spec.rhs = 0;
  spec.accumulate = op.result()->type.dtype == DType::f64 ? DType::f64 : DType::f32;
  const std::int64_t groups = op.attributes.integer("groups"), outputs = y[1] / groups;
  spec.dimensions = {{Role::batch, groups}, {Role::m, outputs}, {Role::n, y[0]},  {Role::n, y[2]},
                     {Role::n, y[3]},       {Role::k, u[2]},    {Role::k, kTile}, {Role::k, kTile}};
  const auto along = [](std::size_t dimension) { return ContractionSpec::Coordinate{0, {{dimension, 1}}}; };
  const ContractionSpec::Coordinate output{0, {{0, outputs}, {1, 1}}}, input{0, {{0, u[2]}, {5, 1}}};
  spec.a = {u, {along(6), along(7), along(5), output}};
  spec.b = {x, {along(2), input, {-w.low[0].constant(), {{3, 1}, {6, 1}}}, {-w.low[1].constant(), {{4, 1}, {7, 1}}}}};
  spec.b.bounded = true;
  spec.c = {y, {along(2), output, along(3), along(4)}};
  return spec;
}

std::unique_ptr<ir::Region> mean_winograd(const ir::Op& op) {
  Plain plain(op);
  const Windows w = winograd_windows(op);
  const Shape& y = op.result()->type.shape;
  const std::vector<std::int64_t> tiles{tiles_along(y[2].constant()), tiles_along(y[3].constant())};
  const std::vector<Value> v =
      along_both(plain.squares(plain.operand(0), tiles, {w.low[0].constant(), w.low[1].constant()}, kTile), kTile,
                 [](const auto& d) { return transform_input(d, OnTensors()); });
  const std::vector<Value> u = plain.matrices(plain.operand(1), 2);
  const std::int64_t groups = op.attributes.integer("groups");
  std::vector<Value> products;  // [N,H/2,W/2,O]
  for (std::size_t i = 0; i < v.size(); ++i) {
    const Dim &inputs = u[i].size(0), outputs = *y[1].divided_by(groups);
    const Value tiles_of = reshape(v[i], {y[0], groups, inputs, tiles[0], tiles[1]});
    const Value each = dot_general(tiles_of, reshape(u[i], {inputs, groups, outputs}), {{2}, {0}}, {{1}, {1}});
    products.push_back(reshape(transpose(each, {1, 2, 3, 0, 4}), {y[0], tiles[0], tiles[1], y[1]}));
  }
  const std::vector<Value> results =
      along_both(products, kTile, [](const auto& m) { return transform_result(m, OnTensors()); });
  std::vector<Value> rows;
  for (std::size_t i = 0; i < kResults; ++i)
    rows.push_back(plain.stacked({results.begin() + static_cast<std::ptrdiff_t>(i * kResults),
                                  results.begin() + static_cast<std::ptrdiff_t>((i + 1) * kResults)},
                                 3));
  const Value all = reshape(plain.stacked(rows, 2), {y[0], kResults * tiles[0], kResults * tiles[1], y[1]});
  return plain.finish(transpose(slice(all, {0, 0, 0, 0}, {y[0], y[2], y[3], y[1]}), {0, 3, 1, 2}));
}

Sample winograd_sample(Shape x, std::int64_t outputs, Shape low, Shape high, std::int64_t groups = 1) {
  const Windows windows{{kTaps, kTaps}, {1, 1}, {1, 1}, {1, 1}, std::move(low), std::move(high)};
  Shape u{kTile, kTile, *x[1].divided_by(groups), outputs};
  Sample sample{.shapes = {std::move(x), std::move(u)}, .attributes = windows.attributes()};
  sample.attributes.set("groups", groups);
  return sample;
}

// ---- winograd_products

/// Of convolution(x, g).
Windows products_windows(const ir::Op& op) {
  const Shape& g = op.operand(1)->type.shape;
  return Windows::of(op.attributes, {g[2], g[3]});
}

std::vector<ir::Type> infer_products(const InferContext& c) {
  c.require_float(0);
  c.require_same_dtype(0, 1);
  if (c.rank(0) != 4 || c.rank(1) != 4) c.fail("x must be [C,N,H,W] and g [O,N,H',W']");
  const Shape &x = c.shape(0), &g = c.shape(1);
  if (x[1] != g[1]) c.fail("x and g have different numbers of images");
  const Windows windows = dense_windows(c, {g[2], g[3]});
  for (std::size_t d = 0; d < 2; ++d)
    if (windows.count(c, d, x[d + 2]) != Dim(kTaps)) c.fail("the convolution's result is not 3x3 elements large");
  const auto slabs = c.attribute<std::int64_t>("slabs"), groups = c.attribute<std::int64_t>("batch_groups");
  if (slabs < 1 || !x[1].divided_by(slabs)) c.fail("slabs do not divide the images");
  if (groups < 1 || !x[0].divided_by(groups) || !g[0].divided_by(groups)) c.fail("groups do not divide the channels");
  return {{c.dtype(0), {slabs, kTile, kTile, *x[0].divided_by(groups), g[0]}}};
}

// As of winograd_convolution: loops over tiles of g, and what they and their products depend on.
ContractionSpec products_contraction(const ir::Op& op) {
  const Windows w = products_windows(op);
  const std::vector<std::int64_t> x = ir::static_dims(op.operand(0)->type.shape),
                                  g = ir::static_dims(op.operand(1)->type.shape),
                                  p = ir::static_dims(op.result()->type.shape);
  ContractionSpec spec;
  spec.lhs = 1;
  spec.rhs = 0;
  spec.accumulate = op.result()->type.dtype == DType::f64 ? DType::f64 : DType::f32;
  const std::int64_t images = x[1] / p[0], groups = op.attributes.integer("batch_groups"), outputs = p[4] / groups;
  spec.dimensions = {{Role::batch, p[0]},   {Role::batch, kTile}, {Role::batch, kTile},
                     {Role::batch, groups}, {Role::m, outputs},   {Role::n, p[3]},
                     {Role::k, images},     {Role::k, g[2]},      {Role::k, g[3]}};
  const auto along = [](std::size_t dimension) { return ContractionSpec::Coordinate{0, {{dimension, 1}}}; };
  const ContractionSpec::Coordinate image{0, {{0, images}, {6, 1}}}, output{0, {{3, outputs}, {4, 1}}},
      input{0, {{3, p[3]}, {5, 1}}};
  spec.a = {g, {output, image, along(7), along(8)}};
  spec.b = {x, {input, image, {-w.low[0].constant(), {{1, 1}, {7, 1}}}, {-w.low[1].constant(), {{2, 1}, {8, 1}}}}};
  spec.b.bounded = true;
  spec.c = {p, {along(0), along(1), along(2), along(5), output}};
  return spec;
}

std::unique_ptr<ir::Region> mean_products(const ir::Op& op) {
  Plain plain(op);
  const Windows w = products_windows(op);
  const Value &x = plain.operand(0), &g = plain.operand(1);
  const std::vector<std::int64_t> tiles{tiles_along(g.size(2).constant()), tiles_along(g.size(3).constant())};
  const std::vector<Value> v = along_both(plain.squares(x, tiles, {w.low[0].constant(), w.low[1].constant()}, kTile),
                                          kTile, [](const auto& d) { return transform_input(d, OnTensors()); });
  const std::vector<Value> u = along_both(plain.squares(g, tiles, {0, 0}, kResults), kResults,
                                          [](const auto& d) { return transform_cotangent(d, OnTensors()); });
  const std::int64_t slabs = op.attributes.integer("slabs"), images = x.size(1).constant() / slabs,
                     groups = op.attributes.integer("batch_groups");
  std::vector<Value> all;
  for (std::int64_t slab = 0; slab < slabs; ++slab) {
    const auto of_slab = [&](const Value& each) {  // [groups,channels,images,...]
      Shape limit = each.shape();
      limit[1] = (slab + 1) * images;
      return reshape(slice(each, {0, slab * images, 0, 0}, limit),
                     {groups, *limit[0].divided_by(groups), images, limit[2], limit[3]});
    };
    std::vector<Value> products;
    for (std::size_t i = 0; i < v.size(); ++i) {
      const Value each = dot_general(of_slab(v[i]), of_slab(u[i]), {{2, 3, 4}, {2, 3, 4}}, {{0}, {0}});
      products.push_back(reshape(transpose(each, {1, 0, 2}), {each.size(1), g.size(0)}));
    }
    all.push_back(plain.stacked(products, 0));
  }
  return plain.finish(reshape(plain.stacked(all, 0), op.result()->type.shape));
}

Sample products_sample(Shape x, Shape g, Shape low, Shape high, std::int64_t slabs, std::int64_t groups = 1) {
  const Windows windows{{g[2], g[3]}, {1, 1}, {1, 1}, {1, 1}, std::move(low), std::move(high)};
  Sample sample{.shapes = {std::move(x), std::move(g)}, .attributes = windows.attributes()};
  sample.attributes.set("slabs", slabs);
  sample.attributes.set("batch_groups", groups);
  return sample;
}

// ---- winograd_result

std::vector<ir::Type> infer_result(const InferContext& c) {
  c.require_float(0);
  const Shape& p = c.shape(0);
  if (p.size() != 5 || p[1] != Dim(kTile) || p[2] != Dim(kTile)) c.fail("the products must be [S,4,4,C,O]");
  return {{c.dtype(0), {p[3], p[4], kTaps, kTaps}}};
}

/// Sums of the slabs in their order, by vectors of the innermost dimension.
void lower_result(LowerContext& c) {
  kernel::Builder& b = c.build();
  const std::vector<std::int64_t> p = c.operand_dims(0);
  const DType dtype = c.op().operand(0)->type.dtype;
  const int width = c.registers().bytes / static_cast<int>(size_of(dtype));
  const OnValues arithmetic{b};
  const auto transform = [&](const std::vector<kernel::Value*>& v) { return transform_gradient(v, arithmetic); };
  c.outer_loop(p[3], [&](const kernel::Index& input) {
    b.vector_loop("o", p[4], width, 1, [&](const kernel::Index& output) {
      std::vector<kernel::Value*> sums;
      for (std::int64_t i = 0; i < kTile * kTile; ++i) {
        kernel::Value* sum = b.constant(dtype, 0);
        for (std::int64_t slab = 0; slab < p[0]; ++slab) {
          kernel::Value* each =
              c.read(0, {kernel::Index(slab), kernel::Index(i / kTile), kernel::Index(i % kTile), input, output});
          sum = slab == 0 ? each : b.add(sum, each);
        }
        sums.push_back(sum);
      }
      const std::vector<kernel::Value*> w = along_both(sums, kTile, transform);
      for (std::int64_t i = 0; i < kTaps * kTaps; ++i)
        c.store(0, {input, output, kernel::Index(i / kTaps), kernel::Index(i % kTaps)}, w[static_cast<std::size_t>(i)]);
    });
  });
}

std::unique_ptr<ir::Region> mean_result(const ir::Op& op) {
  Plain plain(op);
  const std::vector<Value> w = along_both(plain.matrices(reduce_sum(plain.operand(0), {0}), 2), kTile,
                                          [](const auto& m) { return transform_gradient(m, OnTensors()); });
  return plain.finish(reshape(plain.stacked(w, 2), op.result()->type.shape));
}

constexpr const char* kNoWinogradGradient = "made by lowering, of convolutions that were differentiated";

}  // namespace

Value winograd_filter(Value w) {
  return {*w.builder, w.builder->value(op_winograd_filter, {w.value}, {})};
}

Value winograd_convolution(Value x, Value u, const Windows& windows, std::int64_t groups) {
  ir::Attributes attributes = windows.attributes();
  attributes.set("groups", groups);
  return {*x.builder, x.builder->value(op_winograd_convolution, {x.value, u.value}, std::move(attributes))};
}

Value winograd_products(Value x, Value g, const Windows& windows, std::int64_t slabs, std::int64_t batch_groups) {
  ir::Attributes attributes = windows.attributes();
  attributes.set("slabs", slabs);
  attributes.set("batch_groups", batch_groups);
  return {*x.builder, x.builder->value(op_winograd_products, {x.value, g.value}, std::move(attributes))};
}

Value winograd_result(Value products) {
  return {*products.builder, products.builder->value(op_winograd_result, {products.value}, {})};
}

const OpDef op_winograd_filter{
    .name = "winograd_filter",
    .arity = 1,
    .doc = "(w [O,C/groups,3,3]): u [4,4,C/groups,O] = G w G^T for each pair of channels, for winograd_convolution.",
    .infer = infer_winograd_filter,
    .no_vjp = kNoWinogradGradient,
    .kernel = lower_winograd_filter,
    .meaning = mean_winograd_filter,
    .keeps_own_lowering = has_elements,
    .eval = evaluate_meaning,
    .samples = {{.shapes = {{5, dim("a"), 3, 3}}}, {.shapes = {{33, 3, 3, 3}}}, {.shapes = {{dim("a"), 2, 3, 3}}}},
};

const OpDef op_winograd_convolution{
    .name = "winograd_convolution",
    .arity = 2,
    .doc =
        "(x [N,C,H,W], u [4,4,C/groups,O]): of tiles d of 4x4 elements of x, two apart, A^T [sum over the channels of "
        "the "
        "group of u * (B^T d B)] A, which are 2x2 elements of the result [N,O,H',W']; elements outside of x are 0. "
        "Where "
        "u is winograd_filter of w, it is the convolution of x with w by 16 products rather than 36, and rounds a "
        "little "
        "more: what is added before the products and behind them cancels. An element that is infinite or NaN makes all "
        "results of its tiles NaN. Source: Winograd: \"Arithmetic complexity of computations\", 1980; Lavin, Gray: "
        "\"Fast algorithms for convolutional neural networks\", 2016.",
    .infer = infer_winograd,
    .no_vjp = kNoWinogradGradient,
    .contraction = winograd_contraction,
    .meaning = mean_winograd,
    .keeps_own_lowering = has_elements,
    .eval = evaluate_meaning,
    .samples = {winograd_sample({dim("a"), 1, 4, 4}, 1, {0, 0}, {0, 0}),
                winograd_sample({2, dim("a"), 3, 6}, 3, {1, 1}, {1, 1}),
                winograd_sample({2, 3, 5, 6}, 8, {1, 1}, {1, 1}), winograd_sample({3, 17, 7, 9}, 20, {1, 0}, {2, 1}),
                winograd_sample({2, 5, 3, 2}, 9, {2, 2}, {2, 2}), winograd_sample({2, 16, 8, 11}, 33, {-1, 1}, {1, -2}),
                winograd_sample({2, 36, 5, 6}, 51, {1, 1}, {1, 1}, 3)},
};

const OpDef op_winograd_products{
    .name = "winograd_products",
    .arity = 2,
    .doc =
        "(x [C,N,H,W], g [O,N,H',W']): [S,4,4,C/batch_groups,O] = in each of S slabs of images, sum over tiles d of "
        "4x4 "
        "elements of x, and of 2x2 of g, two apart, of (B^T d B) * (G g G^T). winograd_result of it is convolution(x, "
        "g), "
        "which is the gradient of 3x3 kernels, by 16 products rather than 36; see winograd_convolution.",
    .infer = infer_products,
    .no_vjp = kNoWinogradGradient,
    .contraction = products_contraction,
    .meaning = mean_products,
    .keeps_own_lowering = has_elements,
    .eval = evaluate_meaning,
    .samples = {products_sample({3, 2, 5, 6}, {8, 2, 5, 6}, {1, 1}, {1, 1}, 1),
                products_sample({17, 3, 7, 9}, {20, 3, 8, 9}, {1, 0}, {2, 2}, 3),
                products_sample({dim("a"), 4, 3, 3}, {dim("b"), 4, 1, 1}, {0, 0}, {0, 0}, 2),
                products_sample({16, 2, 8, 4}, {33, 2, 6, 6}, {-1, 2}, {1, 2}, 1),
                products_sample({12, 4, 5, 6}, {51, 4, 5, 6}, {1, 1}, {1, 1}, 2, 3)},
};

const OpDef op_winograd_result{
    .name = "winograd_result",
    .arity = 1,
    .doc = "(p [S,4,4,C,O]): A^T [sum over S of p] A, [C,O,3,3]; see winograd_products.",
    .infer = infer_result,
    .no_vjp = kNoWinogradGradient,
    .kernel = lower_result,
    .meaning = mean_result,
    .keeps_own_lowering = has_elements,
    .eval = evaluate_meaning,
    .samples = {{.shapes = {{1, 4, 4, dim("a"), 5}}}, {.shapes = {{3, 4, 4, 2, 35}}}},
};

}  // namespace pullback::ops
