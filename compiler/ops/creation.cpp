// constant and iota: tensors from nothing.
#include "compiler/ops/define.h"

namespace pullback::ops {

const OpDef op_constant{
    .name = "constant",
    .arity = 0,
    .doc = "The literal `value`. Large constants of one value are scalars that are broadcast.",
    .traits = {.cheap = true},
    .infer =
        [](const InferContext& c) {
          const auto& value = c.attribute<std::shared_ptr<const ir::Literal>>("value");
          return std::vector<ir::Type>{{value->dtype, Shape(value->dims.begin(), value->dims.end())}};
        },
    .no_vjp = "it has no operands",
    .control = true,
    .eval = [](EvalContext& c) { c.result() = c.attributes().literal("value"); },
    .samples =
        {
            {.attributes = {{"value", std::make_shared<const ir::Literal>(ir::Literal::filled(DType::f32, {}, -0.1))}}},
            {.attributes = {{"value",
                             std::make_shared<const ir::Literal>(ir::Literal::filled(DType::i32, {2, 3}, 7))}}},
            {.attributes = {{"value", std::make_shared<const ir::Literal>(ir::Literal(DType::f64, {0, 3}))}}},
        },
};

const OpDef op_iota{
    .name = "iota",
    .arity = 0,
    .doc = "A tensor of type `dtype` and shape `shape` that holds 0, 1, 2, ... along `axis`.",
    .traits = {.cheap = true},
    .infer =
        [](const InferContext& c) {
          const auto& shape = c.attribute<Shape>("shape");
          c.require_axis(c.attribute<std::int64_t>("axis"), shape.size());
          const auto dtype = c.attribute<DType>("dtype");
          if (dtype == DType::boolean) c.fail("there is no iota of bool");
          return std::vector<ir::Type>{{dtype, shape}};
        },
    .no_vjp = "it has no operands",
    .element =
        [](LowerContext& c) {
          const auto axis = static_cast<std::size_t>(c.attributes().integer("axis"));
          return c.build().convert(c.build().index_value(c.indices()[axis]), c.attributes().dtype("dtype"));
        },
    .eval =
        [](EvalContext& c) {
          const auto axis = static_cast<std::size_t>(c.attributes().integer("axis"));
          for_each_index(c.result().dims, [&](const std::vector<std::int64_t>& index, std::int64_t position) {
            c.result().set_integer(position, index[axis]);
          });
        },
    .samples =
        {
            {.attributes = {{"dtype", DType::f32}, {"shape", Shape{3, 37}}, {"axis", std::int64_t{1}}}},
            {.attributes = {{"dtype", DType::i32}, {"shape", Shape{5, 19}}, {"axis", std::int64_t{0}}}},
            {.attributes = {{"dtype", DType::i64}, {"shape", Shape{dim("a"), dim("b")}}, {"axis", std::int64_t{1}}}},
            {.attributes = {{"dtype", DType::u8}, {"shape", Shape{300}}, {"axis", std::int64_t{0}}},
             .why = "wraps at 256"},
        },
};

}  // namespace pullback::ops
