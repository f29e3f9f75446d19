// floor, ceil, trunc, round_even: floating tensors, element by element. All are constant between their steps, so their
// gradient is 0.
#include <cmath>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

void no_slope(GradContext&) {}

}  // namespace

const OpDef op_floor{
    .name = "floor",
    .arity = 1,
    .doc = "The largest integer that is not greater. Gradient: 0.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = no_slope,
    .element = element_unary(&kernel::Builder::floor),
    .eval = eval_unary([](double x) { return std::floor(x); }),
    .samples = unary_samples(0.1, 0.9),
};

const OpDef op_ceil{
    .name = "ceil",
    .arity = 1,
    .doc = "The smallest integer that is not less. Gradient: 0.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = no_slope,
    .element = element_unary(&kernel::Builder::ceil),
    .eval = eval_unary([](double x) { return std::ceil(x); }),
    .samples = unary_samples(0.1, 0.9),
};

const OpDef op_trunc{
    .name = "trunc",
    .arity = 1,
    .doc = "The integer part: rounds towards 0. Gradient: 0.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = no_slope,
    .element = element_unary(&kernel::Builder::trunc),
    .eval = eval_unary([](double x) { return std::trunc(x); }),
    .samples = unary_samples(-1.9, -1.1),
};

const OpDef op_round_even{
    .name = "round_even",
    .arity = 1,
    .doc = "The nearest integer, halves to the even one. Gradient: 0.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = no_slope,
    .element = element_unary(&kernel::Builder::round_even),
    .eval = eval_unary([](double x) { return std::nearbyint(x); }),
    .samples = unary_samples(0.6, 1.4),
};

}  // namespace pullback::ops
