// convert and stop_gradient: the same elements, of another type or without a past.
#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

void convert_element(const ir::Literal& x, std::int64_t i, ir::Literal& result) {
  if (!is_float(x.dtype))
    result.set_integer(i, x.as_integer(i));
  else
    result.set(i, x.as_double(i));
}

std::vector<Sample> convert_samples() {
  std::vector<Sample> samples;
  for (const DType from : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8, DType::u32, DType::boolean})
    for (const DType to :
         {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64, DType::u8, DType::boolean}) {
      Sample sample = typed_sample(1, from, from == DType::f32 || from == DType::i32 ? -70 : 0, 70);
      sample.attributes = {{"to", to}};
      if (is_float(from) && is_float(to)) {
        sample.differentiable = false;
        sample.why = "the result is rounded more coarsely than central differences bear";
      }
      samples.push_back(sample);
    }
  samples.push_back({.shapes = {{5}}, .attributes = {{"to", DType::f64}}});
  return samples;
}

}  // namespace

const OpDef op_convert{
    .name = "convert",
    .arity = 1,
    .doc =
        "The nearest value of type `to`, halves to even. Floats to integers truncate and saturate, NaN gives 0; "
        "integers to integers keep the low bits; to bool: x != 0. "
        "Gradient: dx = g converted back, between floating types only.",
    .traits = {.elementwise = true, .cheap = true, .is_linear = true},
    .infer = [](const InferContext& c) { return std::vector<ir::Type>{{c.attribute<DType>("to"), c.shape(0)}}; },
    .vjp =
        [](GradContext& c) {
          if (is_float(c.operand(0).dtype())) c.add_grad(0, convert(c.out_grad(), c.operand(0).dtype()));
        },
    .element = [](LowerContext& c) { return c.build().convert(c.read(0), c.attributes().dtype("to")); },
    .eval =
        [](EvalContext& c) {
          for (std::int64_t i = 0; i < c.operand(0).size(); ++i) convert_element(c.operand(0), i, c.result());
        },
    .samples = convert_samples(),
};

const OpDef op_stop_gradient{
    .name = "stop_gradient",
    .arity = 1,
    .doc = "x, taken as a constant by differentiation: the gradient is 0 by definition.",
    .traits = {.elementwise = true, .cheap = true},
    .infer = [](const InferContext& c) { return std::vector<ir::Type>{c.type(0)}; },
    .vjp = [](GradContext&) {},
    .element = [](LowerContext& c) { return c.read(0); },
    .eval = [](EvalContext& c) { c.result() = c.operand(0); },
    .samples = {{.shapes = {{dim("a"), dim("b")}},
                 .differentiable = false,
                 .why = "its derivative is defined to differ from the function's"},
                {.shapes = {{7}}, .dtypes = {DType::i32}}},
};

}  // namespace pullback::ops
