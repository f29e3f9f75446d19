// pow, sqrt, rsqrt, cbrt: floating tensors, element by element.
#include <cmath>

#include "compiler/ops/define.h"

namespace pullback::ops {

const OpDef op_pow{
    .name = "pow",
    .arity = 2,
    .doc =
        "x to the power y, with C's special cases. Gradients: dx = g*y*x^(y-1), 0 where y = 0; "
        "dy = g*log(x)*x^y, 0 where x = 0 and y >= 0 (as PyTorch).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value x = c.operand(0), y = c.operand(1), g = c.out_grad(), zero = full_like(g, 0);
          if (c.needs_grad(0)) c.add_grad(0, select(eq(y, zero), zero, g * (y * pow(x, y - 1.0))));
          if (c.needs_grad(1)) {
            const Value flat = bit_and(eq(x, zero), ge(y, zero));
            c.add_grad(1, select(flat, zero, g * (log(x) * c.result())));
          }
        },
    .element = element_call("pow"),
    .eval = eval_binary([](double x, double y) { return std::pow(x, y); }),
    .samples = binary_samples(0.3, 2),
};

const OpDef op_sqrt{
    .name = "sqrt",
    .arity = 1,
    .doc = "The square root, correctly rounded; NaN below 0. Gradient: dx = g/(2y), infinite at 0 (as PyTorch).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() / (c.result() * 2.0)); },
    .element = element_unary(&kernel::Builder::sqrt),
    .eval = eval_unary([](double x) { return std::sqrt(x); }),
    .samples = unary_samples(0.3, 3),
};

const OpDef op_rsqrt{
    .name = "rsqrt",
    .arity = 1,
    .doc = "1/sqrt(x), by a square root and a division. Gradient: dx = -g*y^3/2.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value y = c.result();
          c.add_grad(0, c.out_grad() * (y * y * y * -0.5));
        },
    .element =
        [](LowerContext& c) {
          kernel::Value* x = c.read(0);
          return c.build().div(c.build().like(x, 1), c.build().sqrt(x));
        },
    .eval = eval_unary([](double x) { return 1 / std::sqrt(x); }),
    .samples = unary_samples(0.3, 3),
};

const OpDef op_cbrt{
    .name = "cbrt",
    .arity = 1,
    .doc = "The cube root, also of negative numbers. Gradient: dx = g/(3y^2).",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value y = c.result();
          c.add_grad(0, c.out_grad() / (y * y * 3.0));
        },
    .element = element_call("cbrt"),
    .eval = eval_unary([](double x) { return std::cbrt(x); }),
    .samples = unary_samples(0.3, 3),
};

}  // namespace pullback::ops
