// optimization_barrier: what keeps two equal computations apart.
#include "compiler/ops/define.h"

namespace pullback::ops {

const OpDef op_barrier{
    .name = "optimization_barrier",
    .arity = -1,
    .doc =
        "The operands, unchanged; but what is computed from the results is never joined with what is computed from the "
        "operands, and it waits until all operands are known. So a checkpoint computes its values again when the "
        "backward pass needs them. Gradients: those of the results.",
    .infer =
        [](const InferContext& c) {
          std::vector<ir::Type> types;
          for (std::size_t i = 0; i < c.operand_count(); ++i) types.push_back(c.type(i));
          return types;
        },
    .vjp =
        [](GradContext& c) {
          for (std::size_t i = 0; i < c.op().operands.size(); ++i)
            if (c.needs_grad(i) && c.has_out_grad(i)) c.add_grad(i, c.out_grad(i));
        },
    .control = true,
    .eval =
        [](EvalContext& c) {
          for (std::size_t i = 0; i < c.operand_count(); ++i) c.result(i) = c.operand(i);
        },
    .samples = {{.shapes = {{dim("a"), dim("b")}, {3}}}},
};

}  // namespace pullback::ops
