// exp, expm1, log, log1p, log2, sigmoid, erf, erfc: floating tensors, element by element.
#include <cmath>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

constexpr double kLog2 = 0.69314718055994530942;
constexpr double kTwoOverSqrtPi = 1.12837916709551257390;

// exp(-x*x): what erf and erfc have in their derivatives.
Value bell(Value x) {
  return exp(-(x * x));
}

}  // namespace

const OpDef op_exp{
    .name = "exp",
    .arity = 1,
    .doc = "e to the power x. Gradient: dx = g*y.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * c.result()); },
    .element = element_call("exp"),
    .eval = eval_unary([](double x) { return std::exp(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_expm1{
    .name = "expm1",
    .arity = 1,
    .doc = "e^x - 1, exact near 0. Gradient: dx = g*(y + 1).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * (c.result() + 1.0)); },
    .element = element_call("expm1"),
    .eval = eval_unary([](double x) { return std::expm1(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_log{
    .name = "log",
    .arity = 1,
    .doc = "The natural logarithm: -inf at 0, NaN below. Gradient: dx = g/x.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() / c.operand(0)); },
    .element = element_call("log"),
    .eval = eval_unary([](double x) { return std::log(x); }),
    .samples = unary_samples(0.2, 4),
};

const OpDef op_log1p{
    .name = "log1p",
    .arity = 1,
    .doc = "log(1 + x), exact near 0. Gradient: dx = g/(1 + x).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() / (c.operand(0) + 1.0)); },
    .element = element_call("log1p"),
    .eval = eval_unary([](double x) { return std::log1p(x); }),
    .samples = unary_samples(-0.7, 3),
};

const OpDef op_log2{
    .name = "log2",
    .arity = 1,
    .doc = "The logarithm to base 2. Gradient: dx = g/(x*log(2)).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() / (c.operand(0) * kLog2)); },
    .element = element_call("log2"),
    .eval = eval_unary([](double x) { return std::log2(x); }),
    .samples = unary_samples(0.2, 4),
};

const OpDef op_sigmoid{
    .name = "sigmoid",
    .arity = 1,
    .doc = "1/(1 + e^-x), without overflow. Gradient: dx = g*y*(1 - y).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value y = c.result();
          c.add_grad(0, c.out_grad() * (y * (1.0 - y)));
        },
    .element = element_call("sigmoid"),
    .eval = eval_unary([](double x) { return 1 / (1 + std::exp(-x)); }),
    .samples = unary_samples(-4, 4),
};

const OpDef op_erf{
    .name = "erf",
    .arity = 1,
    .doc = "2/sqrt(pi) * integral of exp(-t^2) from 0 to x. Gradient: dx = g*2/sqrt(pi)*exp(-x^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * (bell(c.operand(0)) * kTwoOverSqrtPi)); },
    .element = element_call("erf"),
    .eval = eval_unary([](double x) { return std::erf(x); }),
    .samples = unary_samples(-2, 2),
};

const OpDef op_erfc{
    .name = "erfc",
    .arity = 1,
    .doc = "1 - erf(x), exact where that is small. Gradient: dx = -g*2/sqrt(pi)*exp(-x^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * (bell(c.operand(0)) * -kTwoOverSqrtPi)); },
    .element = element_call("erfc"),
    .eval = eval_unary([](double x) { return std::erfc(x); }),
    .samples = unary_samples(-2, 2),
};

}  // namespace pullback::ops
