// sin, cos, tan and their inverses: floating tensors, element by element. Angles are in radians.
#include <cmath>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

// sqrt(1 - x*x), without cancellation near 1.
Value complement(Value x) {
  return sqrt((1.0 - x) * (1.0 + x));
}

}  // namespace

const OpDef op_sin{
    .name = "sin",
    .arity = 1,
    .doc = "The sine. Gradient: dx = g*cos(x).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * cos(c.operand(0))); },
    .element = element_call("sin"),
    .eval = eval_unary([](double x) { return std::sin(x); }),
    .samples = unary_samples(-4, 4),
};

const OpDef op_cos{
    .name = "cos",
    .arity = 1,
    .doc = "The cosine. Gradient: dx = -g*sin(x).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, -(c.out_grad() * sin(c.operand(0)))); },
    .element = element_call("cos"),
    .eval = eval_unary([](double x) { return std::cos(x); }),
    .samples = unary_samples(-4, 4),
};

const OpDef op_tan{
    .name = "tan",
    .arity = 1,
    .doc = "The tangent. Gradient: dx = g*(1 + y^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value y = c.result();
          c.add_grad(0, c.out_grad() * (y * y + 1.0));
        },
    .element = element_call("tan"),
    .eval = eval_unary([](double x) { return std::tan(x); }),
    .samples = unary_samples(-1, 1),
};

const OpDef op_asin{
    .name = "asin",
    .arity = 1,
    .doc = "The inverse sine, in [-pi/2, pi/2]; NaN beyond [-1, 1]. Gradient: dx = g/sqrt(1 - x^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() / complement(c.operand(0))); },
    .element = element_call("asin"),
    .eval = eval_unary([](double x) { return std::asin(x); }),
    .samples = unary_samples(-0.9, 0.9),
};

const OpDef op_acos{
    .name = "acos",
    .arity = 1,
    .doc = "The inverse cosine, in [0, pi]; NaN beyond [-1, 1]. Gradient: dx = -g/sqrt(1 - x^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, -(c.out_grad() / complement(c.operand(0)))); },
    .element = element_call("acos"),
    .eval = eval_unary([](double x) { return std::acos(x); }),
    .samples = unary_samples(-0.9, 0.9),
};

const OpDef op_atan{
    .name = "atan",
    .arity = 1,
    .doc = "The inverse tangent, in [-pi/2, pi/2]. Gradient: dx = g/(1 + x^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value x = c.operand(0);
          c.add_grad(0, c.out_grad() / (x * x + 1.0));
        },
    .element = element_call("atan"),
    .eval = eval_unary([](double x) { return std::atan(x); }),
    .samples = unary_samples(-3, 3),
};

const OpDef op_atan2{
    .name = "atan2",
    .arity = 2,
    .doc =
        "The angle of the point (x, y), operands in the order y, x; in [-pi, pi]. "
        "Gradients: dy = g*x/(x^2 + y^2), dx = -g*y/(x^2 + y^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value y = c.operand(0), x = c.operand(1);
          const Value scaled = c.out_grad() / (x * x + y * y);
          if (c.needs_grad(0)) c.add_grad(0, scaled * x);
          if (c.needs_grad(1)) c.add_grad(1, -(scaled * y));
        },
    .element = element_call("atan2"),
    .eval = eval_binary([](double y, double x) { return std::atan2(y, x); }),
    .samples = binary_samples(0.3, 2),
};

}  // namespace pullback::ops
