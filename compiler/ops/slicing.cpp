// slice, concatenate: parts of tensors at places known beforehand.
#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

using Integers = ir::Integers;

// ceil((limit - start) / step). Rounding up adds what the constant term lacks: all other terms must be multiples.
Dim sliced_size(const InferContext& c, std::size_t axis, const Dim& start, const Dim& limit, std::int64_t step) {
  const Dim span = limit - start;
  Bindings zeros;
  for (const std::string& symbol : span.symbols()) zeros[symbol] = 0;
  const std::int64_t rest = span.substitute(zeros).constant() % step;
  const std::int64_t lacking = rest > 0 ? step - rest : -rest;
  const std::optional<Dim> size = (span + Dim(lacking)).divided_by(step);
  if (!size)
    c.fail(fmt::format("axis {}: {} elements can't be taken in steps of {} before the size is known", axis,
                       span.to_string(), step));
  return *size;
}

void check_range(const InferContext& c, std::size_t axis, const Dim& start, const Dim& limit) {
  const Dim& size = c.shape(0)[axis];
  const auto negative = [](const Dim& d) { return d.is_constant() && d.constant() < 0; };
  if (negative(start) || negative(limit - start) || negative(size - limit))
    c.fail(fmt::format("axis {}: the range [{},{}) is not within [0,{})", axis, start.to_string(), limit.to_string(),
                       size.to_string()));
}

std::vector<ir::Type> infer_slice(const InferContext& c) {
  const auto& start = c.attribute<Shape>("start");
  const auto& limit = c.attribute<Shape>("limit");
  const auto& step = c.attribute<Integers>("step");
  const std::size_t rank = c.rank(0);
  if (start.size() != rank || limit.size() != rank || step.size() != rank)
    c.fail(fmt::format("start, limit and step need one entry for each of {} axes", rank));
  Shape shape;
  for (std::size_t d = 0; d < rank; ++d) {
    if (step[d] < 1) c.fail(fmt::format("axis {}: the step {} is not positive", d, step[d]));
    check_range(c, d, start[d], limit[d]);
    shape.push_back(sliced_size(c, d, start[d], limit[d], step[d]));
  }
  return {{c.dtype(0), shape}};
}

// dx = g, put back between zeros: start of them before, step - 1 between, the rest behind.
void slice_vjp(GradContext& c) {
  const Shape& start = c.attributes().shape("start");
  const Shape& sizes = c.result().shape();
  Integers interior = c.attributes().integers("step");
  Shape high;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    const Dim covered = (sizes[d] - 1) * interior[d] + 1;
    high.push_back(c.operand(0).size(d) - start[d] - covered);
    --interior[d];
  }
  const Value g = c.out_grad();
  c.add_grad(0, pad(g, scalar(*g.builder, g.dtype(), 0), start, std::move(high), std::move(interior)));
}

kernel::Value* lower_slice(LowerContext& c) {
  const std::vector<std::int64_t> start = ir::static_dims(c.attributes().shape("start"));
  const Integers& step = c.attributes().integers("step");
  Indices source;
  for (std::size_t d = 0; d < start.size(); ++d) source.push_back(c.indices()[d] * step[d] + start[d]);
  return c.read(0, source);
}

void eval_slice(EvalContext& c) {
  const std::vector<std::int64_t> start = ir::static_dims(c.attributes().shape("start"));
  const Integers& step = c.attributes().integers("step");
  for_each_index(c.result().dims, [&](std::vector<std::int64_t> index, std::int64_t position) {
    for (std::size_t d = 0; d < index.size(); ++d) index[d] = start[d] + index[d] * step[d];
    copy_element(c.result(), position, c.operand(0), position_of(index, c.operand(0).dims));
  });
}

std::vector<ir::Type> infer_concatenate(const InferContext& c) {
  if (c.operand_count() == 0) c.fail("needs at least one operand");
  const auto axis = c.attribute<std::int64_t>("axis");
  c.require_axis(axis, c.rank(0));
  Shape shape = c.shape(0);
  for (std::size_t i = 1; i < c.operand_count(); ++i) {
    c.require_same_dtype(0, i);
    if (c.rank(i) != c.rank(0)) c.fail("ranks differ");
    for (std::size_t d = 0; d < shape.size(); ++d)
      if (d != static_cast<std::size_t>(axis) && c.shape(i)[d] != shape[d])
        c.fail(fmt::format("axis {} differs: only axis {} may", d, axis));
    shape[static_cast<std::size_t>(axis)] = shape[static_cast<std::size_t>(axis)] + c.shape(i)[axis];
  }
  return {{c.dtype(0), shape}};
}

// Each operand's gradient is its part of g.
void concatenate_vjp(GradContext& c) {
  const auto axis = static_cast<std::size_t>(c.attributes().integer("axis"));
  const Value g = c.out_grad();
  Shape start(g.rank(), 0), limit = g.shape();
  Dim offset = 0;
  for (std::size_t i = 0; i < c.op().operands.size(); ++i) {
    start[axis] = offset;
    offset = limit[axis] = offset + c.operand(i).size(axis);
    if (c.needs_grad(i)) c.add_grad(i, slice(g, start, limit));
  }
}

// Part by part: each one's elements replace, from where it begins on, what the parts before gave.
kernel::Value* lower_concatenate(LowerContext& c) {
  const auto axis = static_cast<std::size_t>(c.attributes().integer("axis"));
  kernel::Builder& b = c.build();
  const kernel::Index place = c.indices()[axis];
  const kernel::Range range = place.range();
  kernel::Value* value = b.constant(c.op().result()->type.dtype, 0);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < c.op().operands.size(); ++i) {
    const std::int64_t end = begin + c.operand_dims(i)[axis];
    const bool read = begin < end && range.low < end && range.high >= begin;
    if (read) {
      Indices source = c.indices();
      source[axis] = place - begin;
      kernel::Value* inside = nullptr;
      if (range.low < begin) inside = b.ge(b.index_value(place), b.integer(DType::i64, begin));
      if (range.high >= end) {
        kernel::Value* before_end = b.lt(b.index_value(place), b.integer(DType::i64, end));
        inside = inside ? b.bit_and(inside, before_end) : before_end;
      }
      value = inside ? c.read_if(inside, i, source, value) : c.read(i, source);
    }
    begin = end;
  }
  return value;
}

void eval_concatenate(EvalContext& c) {
  const auto axis = static_cast<std::size_t>(c.attributes().integer("axis"));
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < c.operand_count(); ++i) {
    for_each_index(c.operand(i).dims, [&](std::vector<std::int64_t> index, std::int64_t source) {
      index[axis] += offset;
      copy_element(c.result(), position_of(index, c.result().dims), c.operand(i), source);
    });
    offset += c.operand(i).dims[axis];
  }
}

}  // namespace

const OpDef op_slice{
    .name = "slice",
    .arity = 1,
    .doc =
        "The elements start, start + step, ... below limit, on every axis. Gradient: dx = g padded with zeros to "
        "where it was.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer = infer_slice,
    .vjp = slice_vjp,
    .element = lower_slice,
    .eval = eval_slice,
    .samples =
        {
            {.shapes = {{dim("a"), dim("b") + 3}},
             .attributes = {{"start", Shape{0, 2}},
                            {"limit", Shape{dim("a"), dim("b") + 2}},
                            {"step", Integers{1, 1}}}},
            {.shapes = {{dim("a") * 3, 7}},
             .attributes = {{"start", Shape{0, 1}}, {"limit", Shape{dim("a") * 3, 7}}, {"step", Integers{3, 2}}}},
            {.shapes = {{dim("a") * 2 + 1}},
             .attributes = {{"start", Shape{0}}, {"limit", Shape{dim("a") * 2 + 1}}, {"step", Integers{2}}}},
            {.shapes = {{40}}, .attributes = {{"start", Shape{3}}, {"limit", Shape{39}}, {"step", Integers{2}}}},
            {.shapes = {{5, 4}},
             .attributes = {{"start", Shape{2, 0}}, {"limit", Shape{2, 4}}, {"step", Integers{3, 1}}}},
            {.shapes = {{5, 19}},
             .attributes = {{"start", Shape{1, 0}}, {"limit", Shape{4, 19}}, {"step", Integers{1, 1}}},
             .dtypes = {DType::i64}},
        },
};

const OpDef op_concatenate{
    .name = "concatenate",
    .arity = -1,
    .doc = "The operands one after the other along `axis`. Gradient: each operand gets its slice of g.",
    .traits = {.moves_data = true, .is_linear = true},
    .infer = infer_concatenate,
    .vjp = concatenate_vjp,
    .element = lower_concatenate,
    .eval = eval_concatenate,
    .samples =
        {
            {.shapes = {{dim("a"), dim("b")}, {dim("a"), 3}, {dim("a"), dim("b")}},
             .attributes = {{"axis", std::int64_t{1}}}},
            {.shapes = {{dim("a"), dim("b")}, {2, dim("b")}}, .attributes = {{"axis", std::int64_t{0}}}},
            {.shapes = {{3, 5}}, .attributes = {{"axis", std::int64_t{0}}}},
            {.shapes = {{7}, {12}}, .attributes = {{"axis", std::int64_t{0}}}, .dtypes = {DType::i32, DType::i32}},
        },
};

}  // namespace pullback::ops
