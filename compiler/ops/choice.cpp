// compare and select: decisions, element by element.
#include <array>

#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

struct Direction {
  std::string_view name;
  kernel::Opcode opcode;
};
constexpr std::array kDirections{Direction{"eq", kernel::Opcode::eq}, Direction{"ne", kernel::Opcode::ne},
                                 Direction{"lt", kernel::Opcode::lt}, Direction{"le", kernel::Opcode::le},
                                 Direction{"gt", kernel::Opcode::gt}, Direction{"ge", kernel::Opcode::ge}};

const Direction* find_direction(std::string_view name) {
  for (const Direction& direction : kDirections)
    if (direction.name == name) return &direction;
  return nullptr;
}

template <class T>
bool holds(kernel::Opcode direction, T x, T y) {
  switch (direction) {
    case kernel::Opcode::eq:
      return x == y;
    case kernel::Opcode::ne:
      return x != y;
    case kernel::Opcode::lt:
      return x < y;
    case kernel::Opcode::le:
      return x <= y;
    case kernel::Opcode::gt:
      return x > y;
    default:
      return x >= y;
  }
}

std::vector<Sample> compare_samples() {
  std::vector<Sample> samples;
  for (const Direction& direction : kDirections)
    for (const DType dtype : {DType::f32, DType::i32, DType::u8, DType::boolean}) {
      Sample sample = typed_sample(2, dtype, dtype == DType::f32 || dtype == DType::i32 ? -3 : 0, 1);
      sample.attributes = {{"direction", std::string(direction.name)}};
      samples.push_back(sample);
    }
  return samples;
}

}  // namespace

const OpDef op_compare{
    .name = "compare",
    .arity = 2,
    .doc =
        "Whether x `direction` y, as bool; direction is eq, ne, lt, le, gt or ge. With a NaN only ne holds. "
        "false < true.",
    .traits = {.elementwise = true, .cheap = true},
    .infer =
        [](const InferContext& c) {
          c.require_same_type(0, 1);
          const auto& direction = c.attribute<std::string>("direction");
          if (!find_direction(direction))
            c.fail(fmt::format("unknown direction '{}'; there are eq, ne, lt, le, gt, ge", direction));
          return std::vector<ir::Type>{{DType::boolean, c.shape(0)}};
        },
    .no_vjp = "the result is bool, which has no gradient",
    .element =
        [](LowerContext& c) {
          kernel::Value* x = c.read(0);
          kernel::Value* y = c.read(1);
          return c.build().compare(find_direction(c.attributes().string("direction"))->opcode, x, y);
        },
    .eval =
        [](EvalContext& c) {
          const ir::Literal &x = c.operand(0), &y = c.operand(1);
          const kernel::Opcode direction = find_direction(c.attributes().string("direction"))->opcode;
          for (std::int64_t i = 0; i < x.size(); ++i)
            c.result().set_integer(i, is_float(x.dtype) ? holds(direction, x.as_double(i), y.as_double(i))
                                                        : holds(direction, x.as_integer(i), y.as_integer(i)));
        },
    .samples = compare_samples(),
};

const OpDef op_select{
    .name = "select",
    .arity = 3,
    .doc =
        "condition ? x : y, element by element; condition is bool. Gradients: dx = condition ? g : 0, "
        "dy = condition ? 0 : g, so that a NaN on the side not taken stays out.",
    .traits = {.elementwise = true, .cheap = true, .is_linear = true},
    .infer =
        [](const InferContext& c) {
          c.require_boolean(0);
          c.require_same_type(1, 2);
          if (c.shape(0) != c.shape(1)) c.fail("the condition's shape differs from that of the choices");
          return std::vector<ir::Type>{c.type(1)};
        },
    .vjp =
        [](GradContext& c) {
          const Value condition = c.operand(0), g = c.out_grad(), zero = full_like(g, 0);
          if (c.needs_grad(1)) c.add_grad(1, select(condition, g, zero));
          if (c.needs_grad(2)) c.add_grad(2, select(condition, zero, g));
        },
    .element =
        [](LowerContext& c) {
          kernel::Value* condition = c.read(0);
          kernel::Value* x = c.read(1);
          return c.build().select(condition, x, c.read(2));
        },
    .eval =
        [](EvalContext& c) {
          for (std::int64_t i = 0; i < c.result().size(); ++i)
            copy_element(c.result(), i, c.operand(c.operand(0).as_integer(i) != 0 ? 1 : 2), i);
        },
    .samples =
        {
            {.shapes = {{dim("a"), dim("b")}, {dim("a"), dim("b")}, {dim("a"), dim("b")}},
             .dtypes = {DType::boolean, DType::f32, DType::f32}},
            {.shapes = {{3, 37}, {3, 37}, {3, 37}}, .dtypes = {DType::boolean, DType::f32, DType::f32}},
            {.shapes = {{19}, {19}, {19}}, .dtypes = {DType::boolean, DType::i64, DType::i64}},
            {.shapes = {{19}, {19}, {19}}, .dtypes = {DType::boolean, DType::boolean, DType::boolean}},
        },
};

}  // namespace pullback::ops
