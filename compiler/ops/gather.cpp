// gather: rows picked by computed indices. A reduced form of StableHLO's gather that holds embedding lookup (axis 0),
// take (any axis) and picking one entry a row (batch 1, axis 1). Indices are clamped to the axis, as there; who wants
// an error puts a `check` before.
#include <fmt/format.h>

#include "compiler/ops/picks.h"

namespace pullback::ops {

Shape picked_shape(const InferContext& c) {
  c.require_index(1);
  const auto axis = c.attribute<std::int64_t>("axis"), batch = c.attribute<std::int64_t>("batch");
  c.require_axis(axis, c.rank(0));
  if (batch < 0 || batch > axis || batch > static_cast<std::int64_t>(c.rank(1)))
    c.fail(fmt::format("batch {} must lie in [0, axis {}] and not exceed the rank of the indices", batch, axis));
  for (std::int64_t d = 0; d < batch; ++d)
    if (c.shape(0)[d] != c.shape(1)[d]) c.fail(fmt::format("batch axis {} differs", d));
  Shape shape(c.shape(0).begin(), c.shape(0).begin() + axis);
  shape.insert(shape.end(), c.shape(1).begin() + batch, c.shape(1).end());
  shape.insert(shape.end(), c.shape(0).begin() + axis + 1, c.shape(0).end());
  const Dim picked = ir::element_count(shape);
  if (c.shape(0)[axis] == Dim(0) && picked.is_constant() && picked.constant() > 0)
    c.fail(fmt::format("axis {} has no elements to pick from", axis));
  return shape;
}

std::int64_t picked_place(const EvalContext& c, const Picks& picks, const std::vector<std::int64_t>& picked) {
  const ir::Literal &x = c.operand(0), &indices = c.operand(1);
  const std::int64_t entry = indices.as_integer(position_of(picks.index_of(picked), indices.dims));
  return position_of(picks.source_of(picked, std::clamp<std::int64_t>(entry, 0, x.dims[picks.axis] - 1)), x.dims);
}

std::vector<Sample> picking_samples(bool with_updates) {
  const auto sample = [&](Shape x, Shape indices, Shape updates, std::int64_t axis, std::int64_t batch, DType index) {
    Sample s{.shapes = {std::move(x), std::move(indices)},
             .attributes = {{"axis", axis}, {"batch", batch}},
             .dtypes = {DType::f32, index},
             .low = -2,
             .high = 6};
    if (with_updates) {
      s.shapes.push_back(std::move(updates));
      s.dtypes.push_back(DType::f32);
    }
    return s;
  };
  const Dim a = dim("a"), b = dim("b");
  return {sample({5, b}, {a}, {a, b}, 0, 0, DType::i32),
          sample({a, 4}, {a}, {a}, 1, 1, DType::i64),
          sample({a, 4, b}, {a, 3}, {a, 3, b}, 1, 1, DType::i32),
          sample({2, 3, 5}, {2, 2}, {2, 3, 2, 2}, 2, 0, DType::i32),
          sample({2, 3, 5, 2}, {2, 4}, {2, 3, 4, 2}, 2, 1, DType::i64),
          sample({9, 37}, {}, {37}, 0, 0, DType::i32),
          sample({3, 192}, {5}, {5, 192}, 0, 0, DType::i32),
          sample({0, 3}, {0}, {0, 3}, 0, 0, DType::i32)};
}

namespace {

kernel::Value* lower_gather(LowerContext& c) {
  const Picks picks(c.op());
  const std::int64_t entries = c.operand_dims(0)[picks.axis];
  if (entries == 0) return c.build().constant(c.op().result()->type.dtype, 0);  // there are no elements
  kernel::Value* entry = c.read(1, picks.index_of(c.indices()));
  return c.read(0, picks.source_of(c.indices(), clamped_index(c, entry, entries - 1)));
}

}  // namespace

const OpDef op_gather{
    .name = "gather",
    .arity = 2,
    .doc =
        "(x, indices): elements of x along `axis` at the indices, which are clamped to it. The first `batch` axes of "
        "x and indices go together: x [B, P, N, S] and indices [B, I] give [B, P, I, S]. "
        "Gradient: dx = scatter_add of g to zeros.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer = [](const InferContext& c) { return std::vector<ir::Type>{{c.dtype(0), picked_shape(c)}}; },
    .vjp =
        [](GradContext& c) {
          if (c.needs_grad(0))
            c.add_grad(0, scatter_add(full_like(c.operand(0), 0), c.operand(1), c.out_grad(),
                                      c.attributes().integer("axis"), c.attributes().integer("batch")));
        },
    .element = lower_gather,
    .eval =
        [](EvalContext& c) {
          const Picks picks(c.op());
          for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
            copy_element(c.result(), position, c.operand(0), picked_place(c, picks, index));
          });
        },
    .samples = picking_samples(false),
};

}  // namespace pullback::ops
