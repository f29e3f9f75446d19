// What the functions of an OpDef are given: types to infer from, gradients to add to, literals to evaluate, kernel IR
// to write. GradContext is implemented by autodiff, LowerContext by lower.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/kernel/index.h"
#include "compiler/ops/build.h"
#include "compiler/ops/infer_context.h"

namespace pullback::kernel {
class Builder;
enum class Combine : std::uint8_t;
}  // namespace pullback::kernel

namespace pullback::ops {

/// For gradient rules. One call handles one op; rules only add, the walk accumulates.
class GradContext {
 public:
  virtual ~GradContext() = default;

  virtual const ir::Op& op() const = 0;
  virtual ir::Builder& build() = 0;
  /// The forward values, to compute with.
  virtual Value operand(std::size_t i) = 0;
  virtual Value result(std::size_t i = 0) = 0;
  /// dL/d(result i). Zeros when the loss does not depend on it, which has_out_grad tells beforehand.
  virtual Value out_grad(std::size_t i = 0) = 0;
  virtual bool has_out_grad(std::size_t i = 0) const = 0;
  /// Is dL/d(operand i) wanted? False for operands that are not floating, or lead to nothing asked for. add_grad then
  /// ignores its value; ask first where computing it costs ops.
  virtual bool needs_grad(std::size_t i) const = 0;
  /// Adds `gradient`, of the operand's type, to dL/d(operand i).
  virtual void add_grad(std::size_t i, Value gradient) = 0;

  /// A region followed by its derivative: arguments are those of `body` and then one cotangent for each result that
  /// `outputs` names; results are the cotangents of the arguments that `wanted` names, in order. The first
  /// `forward_ops` ops are those of the body, of which some may have got further results.
  struct JointGradient {
    std::unique_ptr<ir::Region> region;
    std::size_t forward_ops = 0;
  };
  virtual JointGradient joint_gradient(const ir::Region& body, const std::vector<std::size_t>& wanted,
                                       const std::vector<std::size_t>& outputs) = 0;
  /// The same for all floating results, cut down to what its results need: for ops whose gradient repeats the body.
  virtual std::unique_ptr<ir::Region> gradient_region(const ir::Region& body,
                                                      const std::vector<std::size_t>& wanted) = 0;
  /// The op itself, which a rule may give further results (what a loop saves for its gradient) by a region that
  /// computes them too. What it had stays as it was.
  virtual ir::Op& extend() = 0;

  const ir::Attributes& attributes() const { return op().attributes; }
};

/// For reference evaluation: operands are given, results are there, zero-filled, with their types.
class EvalContext {
 public:
  EvalContext(const ir::Op& op, std::vector<const ir::Literal*> operands, std::vector<ir::Literal>& results)
      : op_(&op), operands_(std::move(operands)), results_(&results) {}

  const ir::Op& op() const { return *op_; }
  const ir::Attributes& attributes() const { return op_->attributes; }
  std::size_t operand_count() const { return operands_.size(); }
  const ir::Literal& operand(std::size_t i) const { return *operands_[i]; }
  ir::Literal& result(std::size_t i = 0) const { return (*results_)[i]; }
  std::vector<ir::Literal>& results() const { return *results_; }

 private:
  const ir::Op* op_;
  std::vector<const ir::Literal*> operands_;
  std::vector<ir::Literal>* results_;
};

using Indices = std::vector<kernel::Index>;

/// Where a tensor lies in a kernel's buffer: element (i0, i1, ...) at offset + sum of strides[d] * i_d.
struct Memory {
  int buffer = -1;
  kernel::Index offset;
  std::vector<std::int64_t> strides;
};

/// What a `kernel` rule is to know of the machine: the width of a vector in bytes, and how many vectors it keeps.
struct Registers {
  int bytes = 32, count = 16;
};

/// For lowering. All shapes are numbers. `element` rules return the value of result 0 at indices(); they read operands
/// through the context, which loads them or composes what computes them. `kernel` rules write loops and store().
class LowerContext {
 public:
  virtual ~LowerContext() = default;

  virtual const ir::Op& op() const = 0;
  virtual kernel::Builder& build() = 0;
  const ir::Attributes& attributes() const { return op().attributes; }
  std::vector<std::int64_t> operand_dims(std::size_t i) const { return ir::static_dims(op().operand(i)->type.shape); }
  std::vector<std::int64_t> result_dims(std::size_t i = 0) const { return ir::static_dims(op().result(i)->type.shape); }

  /// An operand's element. Indices must be in range.
  virtual kernel::Value* read(std::size_t operand, const Indices& indices) = 0;
  /// Where `condition` (bool) holds, else `fallback`; indices need to be in range only where it holds.
  virtual kernel::Value* read_if(kernel::Value* condition, std::size_t operand, const Indices& indices,
                                 kernel::Value* fallback) = 0;

  /// Of `element` rules: the index of the element wanted, one entry for each axis of result 0.
  virtual const Indices& indices() const = 0;
  /// An operand's element at indices().
  kernel::Value* read(std::size_t operand) { return read(operand, indices()); }
  /// Folds body over all indices below `extents`, in an order that the shape alone decides. Starts from 0 for add, else
  /// from the identity.
  virtual kernel::Value* reduce(const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                                const std::function<kernel::Value*(const Indices&)>& body) = 0;

  /// Of `kernel` rules: the outermost loop; its iterations are independent, so that it may run in parallel. At most
  /// one, and everything else inside it.
  virtual void outer_loop(std::int64_t extent, const std::function<void(const kernel::Index&)>& body) = 0;
  /// A result's element, read and written.
  virtual kernel::Value* load(std::size_t result, const Indices& indices) = 0;
  virtual void store(std::size_t result, const Indices& indices, kernel::Value* value) = 0;
  /// For statements that address memory themselves: an operand that is read in place, a result to read and write.
  virtual Memory operand_memory(std::size_t operand) = 0;
  virtual Memory result_memory(std::size_t result) = 0;
  virtual Registers registers() const = 0;
};

}  // namespace pullback::ops
