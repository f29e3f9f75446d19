// broadcast, reshape, transpose, reverse: the same elements in another arrangement.
#include <algorithm>

#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;

// result element at index = operand element at source(index)
using Source = std::function<std::vector<std::int64_t>(const std::vector<std::int64_t>& index)>;
void eval_moved(EvalContext& c, const Source& source) {
  for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
    copy_element(c.result(), position, c.operand(0), position_of(source(index), c.operand(0).dims));
  });
}

// ---- broadcast

std::vector<ir::Type> infer_broadcast(const InferContext& c) {
  const auto& shape = c.attribute<Shape>("shape");
  const auto& dimensions = c.attribute<Integers>("dimensions");
  c.require_axes(dimensions, shape.size(), "dimensions");
  if (!std::is_sorted(dimensions.begin(), dimensions.end())) c.fail("dimensions must increase");
  if (dimensions.size() != c.rank(0))
    c.fail(fmt::format("{} dimensions are given for {} axes", dimensions.size(), c.rank(0)));
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    const Dim& wanted = shape[static_cast<std::size_t>(dimensions[i])];
    if (c.shape(0)[i] != wanted && c.shape(0)[i] != Dim(1))
      c.fail(fmt::format("axis {} has {} elements and can't become {} of them: shape {}", i, c.shape(0)[i].to_string(),
                         wanted.to_string(), pullback::to_string(shape)));
  }
  std::vector<ir::Type> types(1);
  types[0] = {c.dtype(0), shape};
  return types;
}

kernel::Value* lower_broadcast(LowerContext& c) {
  const Integers& dimensions = c.attributes().integers("dimensions");
  const std::vector<std::int64_t> dims = c.operand_dims(0);
  Indices source;
  for (std::size_t i = 0; i < dims.size(); ++i)
    source.push_back(dims[i] == 1 ? kernel::Index(0) : c.indices()[static_cast<std::size_t>(dimensions[i])]);
  return c.read(0, source);
}

void eval_broadcast(EvalContext& c) {
  const Integers& dimensions = c.attributes().integers("dimensions");
  eval_moved(c, [&](const std::vector<std::int64_t>& index) {
    std::vector<std::int64_t> source;
    for (std::size_t i = 0; i < dimensions.size(); ++i)
      source.push_back(c.operand(0).dims[i] == 1 ? 0 : index[static_cast<std::size_t>(dimensions[i])]);
    return source;
  });
}

// ---- transpose

Integers inverse(const Integers& permutation) {
  Integers result(permutation.size());
  for (std::size_t i = 0; i < permutation.size(); ++i)
    result[static_cast<std::size_t>(permutation[i])] = static_cast<std::int64_t>(i);
  return result;
}

std::vector<ir::Type> infer_transpose(const InferContext& c) {
  const auto& permutation = c.attribute<Integers>("permutation");
  c.require_axes(permutation, c.rank(0), "permutation");
  if (permutation.size() != c.rank(0))
    c.fail(fmt::format("the permutation has {} entries for {} axes", permutation.size(), c.rank(0)));
  Shape shape;
  for (const std::int64_t axis : permutation) shape.push_back(c.shape(0)[static_cast<std::size_t>(axis)]);
  return {{c.dtype(0), shape}};
}

kernel::Value* lower_transpose(LowerContext& c) {
  Indices source(c.indices().size());
  const Integers& permutation = c.attributes().integers("permutation");
  for (std::size_t i = 0; i < source.size(); ++i) source[static_cast<std::size_t>(permutation[i])] = c.indices()[i];
  return c.read(0, source);
}

void eval_transpose(EvalContext& c) {
  const Integers& permutation = c.attributes().integers("permutation");
  eval_moved(c, [&](const std::vector<std::int64_t>& index) {
    std::vector<std::int64_t> source(index.size());
    for (std::size_t i = 0; i < index.size(); ++i) source[static_cast<std::size_t>(permutation[i])] = index[i];
    return source;
  });
}

// ---- reverse

std::vector<ir::Type> infer_reverse(const InferContext& c) {
  c.require_axes(c.attribute<Integers>("axes"), c.rank(0));
  return {c.type(0)};
}

kernel::Value* lower_reverse(LowerContext& c) {
  Indices source = c.indices();
  for (const std::int64_t axis : c.attributes().integers("axes")) {
    kernel::Index& index = source[static_cast<std::size_t>(axis)];
    index = kernel::Index(c.result_dims()[static_cast<std::size_t>(axis)] - 1) - index;
  }
  return c.read(0, source);
}

void eval_reverse(EvalContext& c) {
  eval_moved(c, [&](std::vector<std::int64_t> index) {
    for (const std::int64_t axis : c.attributes().integers("axes")) {
      const auto d = static_cast<std::size_t>(axis);
      index[d] = c.result().dims[d] - 1 - index[d];
    }
    return index;
  });
}

}  // namespace

const OpDef op_broadcast{
    .name = "broadcast",
    .arity = 1,
    .doc =
        "Repeats x: axis i becomes axis dimensions[i] of `shape`, and an axis of size 1 stretches. "
        "Gradient: dx = the sum of g over all repetitions.",
    .traits = {.moves_data = true, .cheap = true, .is_linear = true},
    .infer = infer_broadcast,
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, sum_to(c.out_grad(), c.operand(0).shape(), c.attributes().integers("dimensions")));
        },
    .element = lower_broadcast,
    .eval = eval_broadcast,
    .samples =
        {
            {.shapes = {{}}, .attributes = {{"shape", Shape{dim("a"), dim("b")}}, {"dimensions", Integers{}}}},
            {.shapes = {{dim("b")}}, .attributes = {{"shape", Shape{dim("a"), dim("b")}}, {"dimensions", Integers{1}}}},
            {.shapes = {{dim("a")}}, .attributes = {{"shape", Shape{dim("a"), dim("b")}}, {"dimensions", Integers{0}}}},
            {.shapes = {{dim("a"), 1}},
             .attributes = {{"shape", Shape{dim("a"), 3, dim("b")}}, {"dimensions", Integers{0, 2}}}},
            {.shapes = {{19}},
             .attributes = {{"shape", Shape{3, 19}}, {"dimensions", Integers{1}}},
             .dtypes = {DType::i32}},
        },
};

const OpDef op_reshape{
    .name = "reshape",
    .arity = 1,
    .doc = "The same elements in row-major order under `shape`. Gradient: dx = g in the shape of x.",
    .traits = {.moves_data = true, .cheap = true, .is_linear = true},
    .infer =
        [](const InferContext& c) {
          const auto& shape = c.attribute<Shape>("shape");
          if (ir::element_count(shape) != ir::element_count(c.shape(0)))
            c.fail(fmt::format("{} elements can't be arranged as {}", ir::element_count(c.shape(0)).to_string(),
                               pullback::to_string(shape)));
          return std::vector<ir::Type>{{c.dtype(0), shape}};
        },
    .vjp = [](GradContext& c) { c.add_grad(0, reshape(c.out_grad(), c.operand(0).shape())); },
    .element =
        [](LowerContext& c) {
          return c.read(0, kernel::unflatten(kernel::flatten(c.indices(), c.result_dims()), c.operand_dims(0)));
        },
    .eval = [](EvalContext& c) { c.result().bytes = c.operand(0).bytes; },
    .samples =
        {
            {.shapes = {{dim("a"), dim("b")}}, .attributes = {{"shape", Shape{dim("a") * dim("b")}}}},
            {.shapes = {{dim("a"), 6}}, .attributes = {{"shape", Shape{2, dim("a"), 3}}}},
            {.shapes = {{4, 15}}, .attributes = {{"shape", Shape{3, 20}}}},
            {.shapes = {{}}, .attributes = {{"shape", Shape{1, 1}}}},
            {.shapes = {{4, 15}}, .attributes = {{"shape", Shape{60}}}, .dtypes = {DType::u8}},
        },
};

const OpDef op_transpose{
    .name = "transpose",
    .arity = 1,
    .doc = "Axis i of the result is axis permutation[i] of x. Gradient: dx = g transposed by the inverse permutation.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer = infer_transpose,
    .vjp =
        [](GradContext& c) { c.add_grad(0, transpose(c.out_grad(), inverse(c.attributes().integers("permutation")))); },
    .element = lower_transpose,
    .eval = eval_transpose,
    .samples =
        {
            {.shapes = {{dim("a"), dim("b")}}, .attributes = {{"permutation", Integers{1, 0}}}},
            {.shapes = {{dim("a"), 3, dim("b")}}, .attributes = {{"permutation", Integers{2, 0, 1}}}},
            {.shapes = {{17, 35}}, .attributes = {{"permutation", Integers{1, 0}}}},
            {.shapes = {{2, 3, 5}}, .attributes = {{"permutation", Integers{1, 2, 0}}}, .dtypes = {DType::boolean}},
            {.shapes = {{}}, .attributes = {{"permutation", Integers{}}}},
        },
};

const OpDef op_reverse{
    .name = "reverse",
    .arity = 1,
    .doc = "Turns the order around along `axes`. Gradient: dx = g reversed.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer = infer_reverse,
    .vjp = [](GradContext& c) { c.add_grad(0, reverse(c.out_grad(), c.attributes().integers("axes"))); },
    .element = lower_reverse,
    .eval = eval_reverse,
    .samples =
        {
            {.shapes = {{dim("a"), dim("b")}}, .attributes = {{"axes", Integers{1}}}},
            {.shapes = {{dim("a"), dim("b")}}, .attributes = {{"axes", Integers{0, 1}}}},
            {.shapes = {{3, 37}}, .attributes = {{"axes", Integers{0}}}, .dtypes = {DType::i32}},
        },
};

}  // namespace pullback::ops
