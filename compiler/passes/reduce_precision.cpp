// Contractions in 16 bits: operands are rounded, products are summed in 32 bits, results are rounded once. What lies
// between contractions stays in 32 bits: inside a kernel that costs nothing, and exp, sums over rows and the optimizer
// keep their accuracy. Parameters stay f32 (the master weights) and are rounded where a contraction reads them.
#include "compiler/ops/build.h"
#include "compiler/ops/op_def.h"
#include "compiler/passes/fixpoint.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {

namespace {

/// `value` rounded to `dtype`; what was widened from `dtype` is narrowed by taking what it was.
ir::Value* narrowed(ir::Builder& builder, ir::Value* value, DType dtype) {
  if (const ir::Op* widened = made_by(value, ops::op_convert))
    if (widened->operand(0)->type.dtype == dtype) return widened->operand(0);
  return builder.value(ops::op_convert, {value}, {{"to", dtype}});
}

bool reduce_precision(ir::Function& function, DType dtype) {
  return rewrite_until_stable(function, [dtype](ir::Op& op, ir::Builder& builder) -> std::vector<ir::Value*> {
    if (!op.def->contraction || op.result()->type.dtype != DType::f32) return {};
    std::vector<ir::Value*> operands;
    for (ir::Value* operand : op.operands) operands.push_back(narrowed(builder, operand, dtype));
    ir::Value* product = builder.value(*op.def, std::move(operands), op.attributes);
    return {builder.value(ops::op_convert, {product}, {{"to", DType::f32}})};
  });
}

}  // namespace

bool to_bf16(ir::Function& function) {
  return reduce_precision(function, DType::bf16);
}

bool to_f16(ir::Function& function) {
  return reduce_precision(function, DType::f16);
}

}  // namespace pullback::passes
