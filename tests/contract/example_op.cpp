// softsign: a floating tensor squeezed into (-1, 1), element by element.
#include "tests/contract/example_op.h"

#include <cmath>

#include "compiler/ops/define.h"

namespace pullback::ops {

const OpDef op_softsign{
    .name = "softsign",
    .arity = 1,
    .doc = "x / (1 + |x|). Gradient: dx = g/(1 + |x|)^2.",
    .traits = {.elementwise = true},
    .infer = infer_float,
    .vjp =
        [](GradContext& c) {
          const Value scale = abs(c.operand(0)) + 1.0;
          c.add_grad(0, c.out_grad() / (scale * scale));
        },
    .element =
        [](LowerContext& c) {
          kernel::Builder& b = c.build();
          kernel::Value* x = c.read(0);
          return b.div(x, b.add(b.abs(x), b.like(x, 1)));
        },
    .eval = eval_unary([](double x) { return x / (1 + std::fabs(x)); }),
    .samples = unary_samples(0.1, 2),
};

}  // namespace pullback::ops
