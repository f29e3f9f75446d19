// sinh, cosh, tanh and their inverses: floating tensors, element by element.
#include <cmath>

#include "compiler/ops/define.h"

namespace pullback::ops {

const OpDef op_sinh{
    .name = "sinh",
    .arity = 1,
    .doc = "(e^x - e^-x)/2. Gradient: dx = g*cosh(x).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * cosh(c.operand(0))); },
    .element = element_call("sinh"),
    .eval = eval_unary([](double x) { return std::sinh(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_cosh{
    .name = "cosh",
    .arity = 1,
    .doc = "(e^x + e^-x)/2. Gradient: dx = g*sinh(x).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * sinh(c.operand(0))); },
    .element = element_call("cosh"),
    .eval = eval_unary([](double x) { return std::cosh(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_tanh{
    .name = "tanh",
    .arity = 1,
    .doc = "sinh(x)/cosh(x). Gradient: dx = g*(1 - y^2): reads the result, so that x may die early.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value y = c.result();
          c.add_grad(0, c.out_grad() * (1.0 - y * y));
        },
    .element = element_call("tanh"),
    .eval = eval_unary([](double x) { return std::tanh(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_asinh{
    .name = "asinh",
    .arity = 1,
    .doc = "The inverse of sinh. Gradient: dx = g/sqrt(x^2 + 1).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value x = c.operand(0);
          c.add_grad(0, c.out_grad() / sqrt(x * x + 1.0));
        },
    .element = element_call("asinh"),
    .eval = eval_unary([](double x) { return std::asinh(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_acosh{
    .name = "acosh",
    .arity = 1,
    .doc = "The inverse of cosh, at least 0; NaN below 1. Gradient: dx = g/sqrt(x^2 - 1).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value x = c.operand(0);
          c.add_grad(0, c.out_grad() / sqrt((x - 1.0) * (x + 1.0)));
        },
    .element = element_call("acosh"),
    .eval = eval_unary([](double x) { return std::acosh(x); }),
    .samples = unary_samples(1.3, 4),
};

const OpDef op_atanh{
    .name = "atanh",
    .arity = 1,
    .doc = "The inverse of tanh; infinite at 1 and -1, NaN beyond. Gradient: dx = g/(1 - x^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value x = c.operand(0);
          c.add_grad(0, c.out_grad() / ((1.0 - x) * (1.0 + x)));
        },
    .element = element_call("atanh"),
    .eval = eval_unary([](double x) { return std::atanh(x); }),
    .samples = unary_samples(-0.9, 0.9),
};

}  // namespace pullback::ops
