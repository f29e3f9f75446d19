// Constant folding. Elementwise ops are computed by interpreting the kernel that their own lowering writes, so that a
// folded exp has the bits of a compiled one. Data movement and integers, where nothing rounds, are evaluated directly.
// Floating reductions and contractions stay: their order is lowering's to decide.
#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/interpret.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/build.h"
#include "compiler/ops/contexts.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/math/math.h"
#include "compiler/passes/fixpoint.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

/// Larger results are left to run time: constants take memory, and the interpreter takes time.
constexpr std::int64_t kMaximumElements = 1 << 14;

/// Lowers one elementwise op to a kernel over flat buffers: operands first, then the result.
class ElementKernel final : public ops::LowerContext {
 public:
  ElementKernel(const ir::Op& op, std::int64_t elements) : op_(&op), builder_(kernel_, &ops::math_functions()) {
    for (const ir::Value* operand : op.operands)
      buffers_.push_back(builder_.buffer({}, operand->type.dtype, elements, kernel::Access::in));
    const int result = builder_.buffer({}, op.result()->type.dtype, elements, kernel::Access::out);
    builder_.serial_loop("i", elements, [&](const kernel::Index& i) {
      indices_ = {i};
      builder_.store(result, i, op.def->element(*this));
    });
  }

  const kernel::Kernel& kernel() const { return kernel_; }

  const ir::Op& op() const override { return *op_; }
  kernel::Builder& build() override { return builder_; }
  const ops::Indices& indices() const override { return indices_; }
  kernel::Value* read(std::size_t operand, const ops::Indices& indices) override {
    return builder_.load(buffers_[operand], indices.front());
  }
  kernel::Value* read_if(kernel::Value* condition, std::size_t operand, const ops::Indices& indices,
                         kernel::Value* fallback) override {
    return builder_.load_if(condition, buffers_[operand], indices.front(), fallback);
  }
  kernel::Value* reduce(const std::vector<std::int64_t>&, kernel::Combine, DType,
                        const std::function<kernel::Value*(const ops::Indices&)>&) override {
    refuse();
  }
  void outer_loop(std::int64_t, const std::function<void(const kernel::Index&)>&) override { refuse(); }
  kernel::Value* load(std::size_t, const ops::Indices&) override { refuse(); }
  void store(std::size_t, const ops::Indices&, kernel::Value*) override { refuse(); }
  ops::Memory operand_memory(std::size_t) override { refuse(); }
  ops::Memory result_memory(std::size_t) override { refuse(); }
  ops::Registers registers() const override { refuse(); }

 private:
  [[noreturn]] void refuse() const {
    throw InternalError("fold: " + op_->def->name + " is said to be elementwise, but its lowering is not");
  }

  const ir::Op* op_;
  kernel::Kernel kernel_;
  kernel::Builder builder_;
  std::vector<int> buffers_;
  ops::Indices indices_;
};

ir::Literal interpret_element(const ir::Op& op, const std::vector<const ir::Literal*>& operands) {
  ir::Literal result(op.result()->type.dtype, ir::static_dims(op.result()->type.shape));
  const ElementKernel element(op, result.size());
  std::vector<void*> parameters;
  for (const ir::Literal* operand : operands) parameters.push_back(const_cast<std::byte*>(operand->bytes.data()));
  parameters.push_back(result.bytes.data());
  kernel::interpret(element.kernel(), parameters);
  return result;
}

bool rounds(const ir::Op& op) {
  for (const ir::Value* operand : op.operands)
    if (is_float(operand->type.dtype)) return true;
  return is_float(op.result()->type.dtype);
}

/// Is the op one that may be folded, whatever it reads?
bool foldable(const ir::Op& op) {
  const ops::Traits& traits = op.def->traits;
  // A broadcast of a scalar is how a number everywhere is written.
  if (op.operands.empty() || op.def == &ops::op_broadcast) return false;
  if (op.results.size() != 1 || !op.regions.empty() || traits.effectful) return false;
  for (const Dim& size : op.result()->type.shape)
    if (!size.is_constant()) return false;
  return ir::element_count(op.result()->type.shape).constant() <= kMaximumElements;
}

std::vector<ir::Value*> fold_op(ir::Op& op, ir::Builder& builder) {
  if (op.def == &ops::op_constant) {
    const ir::Literal& literal = op.attributes.literal("value");
    if (literal.size() <= 1 || !literal.is_splat()) return {};
    const ops::Value scalar = ops::constant(builder, *splat_of(op.result()));
    return {ops::broadcast_scalar(scalar, op.result()->type.shape).value};
  }
  if (!foldable(op)) return {};
  std::vector<const ir::Literal*> operands;
  for (const ir::Value* operand : op.operands) {
    const ir::Op* constant = made_by(operand, ops::op_constant);
    if (!constant) return {};
    operands.push_back(&constant->attributes.literal("value"));
  }
  if (op.def->traits.elementwise && op.def->element)
    return {ops::constant(builder, interpret_element(op, operands)).value};
  if (!op.def->traits.moves_data && rounds(op)) return {};
  return {ops::constant(builder, ops::evaluate(op, operands).front()).value};
}

}  // namespace

bool fold(ir::Function& function) {
  return rewrite_until_stable(function, fold_op);
}

}  // namespace pullback::passes
