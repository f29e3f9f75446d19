// dynamic_slice and dynamic_update_slice: a block at a place that the program computes. A start is clamped so that the
// block lies within the tensor, as StableHLO does.
#include <algorithm>

#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

// Operands from `first` on: one index scalar for each axis.
void check_starts(const InferContext& c, std::size_t first) {
  if (c.operand_count() != first + c.rank(0)) c.fail(fmt::format("needs one start for each of {} axes", c.rank(0)));
  for (std::size_t i = first; i < c.operand_count(); ++i) {
    c.require_index(i);
    c.require_scalar(i);
  }
}

void check_sizes(const InferContext& c, const Shape& sizes) {
  if (sizes.size() != c.rank(0)) c.fail(fmt::format("the block needs {} sizes", c.rank(0)));
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    const Dim room = c.shape(0)[d] - sizes[d];
    if (room.is_constant() && room.constant() < 0)
      c.fail(fmt::format("axis {}: a block of {} does not fit", d, sizes[d].to_string()));
  }
}

std::vector<Value> starts(GradContext& c, std::size_t first) {
  std::vector<Value> result;
  for (std::size_t i = first; i < c.op().operands.size(); ++i) result.push_back(c.operand(i));
  return result;
}

std::vector<std::int64_t> evaluated_starts(const EvalContext& c, std::size_t first,
                                           const std::vector<std::int64_t>& sizes) {
  std::vector<std::int64_t> result;
  for (std::size_t d = 0; d < sizes.size(); ++d)
    result.push_back(std::clamp<std::int64_t>(c.operand(first + d).as_integer(0), 0, c.operand(0).dims[d] - sizes[d]));
  return result;
}

kernel::Value* lower_dynamic_slice(LowerContext& c) {
  const std::vector<std::int64_t> dims = c.operand_dims(0), sizes = c.result_dims();
  Indices source;
  for (std::size_t d = 0; d < dims.size(); ++d)
    source.push_back(clamped_index(c, c.read(1 + d, {}), dims[d] - sizes[d]) + c.indices()[d]);
  return c.read(0, source);
}

kernel::Value* lower_dynamic_update_slice(LowerContext& c) {
  kernel::Builder& b = c.build();
  const std::vector<std::int64_t> dims = c.operand_dims(0), sizes = c.operand_dims(1);
  kernel::Value* old = c.read(0);
  if (ir::element_count(c.op().operand(1)->type.shape) == Dim(0)) return old;
  kernel::Value* inside = nullptr;
  Indices source;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    source.push_back(c.indices()[d] - clamped_index(c, c.read(2 + d, {}), dims[d] - sizes[d]));
    if (sizes[d] == dims[d]) continue;
    kernel::Value* offset = b.index_value(source.back());
    kernel::Value* here =
        b.bit_and(b.ge(offset, b.integer(DType::i64, 0)), b.lt(offset, b.integer(DType::i64, sizes[d])));
    inside = inside ? b.bit_and(inside, here) : here;
  }
  return inside ? c.read_if(inside, 1, source, old) : c.read(1, source);
}

}  // namespace

const OpDef op_dynamic_slice{
    .name = "dynamic_slice",
    .arity = -1,
    .doc =
        "(x, one start for each axis): the block of `sizes` elements of x from start on; start is clamped to "
        "[0, size - sizes]. Gradient: dx = zeros with g put at start.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer =
        [](const InferContext& c) {
          if (c.operand_count() == 0) c.fail("needs a tensor to slice");
          check_starts(c, 1);
          const auto& sizes = c.attribute<Shape>("sizes");
          check_sizes(c, sizes);
          return std::vector<ir::Type>{{c.dtype(0), sizes}};
        },
    .vjp =
        [](GradContext& c) {
          if (c.needs_grad(0))
            c.add_grad(0, dynamic_update_slice(full_like(c.operand(0), 0), c.out_grad(), starts(c, 1)));
        },
    .element = lower_dynamic_slice,
    .eval =
        [](EvalContext& c) {
          const std::vector<std::int64_t> start = evaluated_starts(c, 1, c.result().dims);
          for_each_index(c.result().dims, [&](std::vector<std::int64_t> index, std::int64_t position) {
            for (std::size_t d = 0; d < index.size(); ++d) index[d] += start[d];
            copy_element(c.result(), position, c.operand(0), position_of(index, c.operand(0).dims));
          });
        },
    .samples =
        {
            {.shapes = {{dim("a") + 2, dim("b")}, {}, {}},
             .attributes = {{"sizes", Shape{dim("a"), dim("b")}}},
             .dtypes = {DType::f32, DType::i32, DType::i32},
             .low = -1,
             .high = 3},
            {.shapes = {{20, 6}, {}, {}},
             .attributes = {{"sizes", Shape{7, 2}}},
             .dtypes = {DType::f32, DType::i64, DType::i64},
             .low = -9,
             .high = 30},
            {.shapes = {{}}, .attributes = {{"sizes", Shape{}}}},
        },
};

const OpDef op_dynamic_update_slice{
    .name = "dynamic_update_slice",
    .arity = -1,
    .doc =
        "(x, update, one start for each axis): x with a block replaced by update; start is clamped so that it fits. "
        "Gradients: dx = g with zeros in the block, dupdate = the block of g.",
    .traits = {.is_linear = true},
    .infer =
        [](const InferContext& c) {
          if (c.operand_count() < 2) c.fail("needs a tensor and its update");
          c.require_same_dtype(0, 1);
          check_sizes(c, c.shape(1));
          check_starts(c, 2);
          return std::vector<ir::Type>{c.type(0)};
        },
    .vjp =
        [](GradContext& c) {
          const Value g = c.out_grad(), update = c.operand(1);
          const std::vector<Value> start = starts(c, 2);
          if (c.needs_grad(0)) c.add_grad(0, dynamic_update_slice(g, full_like(update, 0), start));
          if (c.needs_grad(1)) c.add_grad(1, dynamic_slice(g, start, update.shape()));
        },
    .element = lower_dynamic_update_slice,
    .eval =
        [](EvalContext& c) {
          c.result() = c.operand(0);
          const std::vector<std::int64_t> start = evaluated_starts(c, 2, c.operand(1).dims);
          for_each_index(c.operand(1).dims, [&](std::vector<std::int64_t> index, std::int64_t source) {
            for (std::size_t d = 0; d < index.size(); ++d) index[d] += start[d];
            copy_element(c.result(), position_of(index, c.result().dims), c.operand(1), source);
          });
        },
    .samples =
        {
            {.shapes = {{dim("a") + 2, dim("b")}, {dim("a"), dim("b")}, {}, {}},
             .dtypes = {DType::f32, DType::f32, DType::i32, DType::i32},
             .low = -1,
             .high = 3},
            {.shapes = {{20, 6}, {7, 2}, {}, {}},
             .dtypes = {DType::f32, DType::f32, DType::i64, DType::i64},
             .low = -9,
             .high = 30},
            {.shapes = {{}, {}}},
        },
};

}  // namespace pullback::ops
