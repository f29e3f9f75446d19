// What shape rules see, and the checks that they share.
#pragma once

#include <string>
#include <vector>

#include "compiler/ops/op_def.h"

namespace pullback::ops {

/// For shape rules: the op with its operands, attributes and regions, not yet its results.
class InferContext {
 public:
  explicit InferContext(const ir::Op& op) : op_(&op) {}

  const ir::Op& op() const { return *op_; }
  std::size_t operand_count() const { return op_->operands.size(); }
  const ir::Type& type(std::size_t i) const { return op_->operands[i]->type; }
  const Shape& shape(std::size_t i) const { return type(i).shape; }
  DType dtype(std::size_t i) const { return type(i).dtype; }
  std::size_t rank(std::size_t i) const { return type(i).rank(); }

  /// Throws Error "add: MESSAGE: operands f32[2], f32[3] (model.cpp:12)".
  [[noreturn]] void fail(const std::string& message) const;
  // Each fails with a message of its own unless the operand is as said.
  void require_float(std::size_t i) const;
  void require_number(std::size_t i) const;  ///< floating or integer
  void require_integer(std::size_t i) const;
  void require_bits(std::size_t i) const;  ///< integer or bool
  void require_boolean(std::size_t i) const;
  void require_index(std::size_t i) const;  ///< i32 or i64
  void require_scalar(std::size_t i) const;
  void require_same_dtype(std::size_t i, std::size_t j) const;
  void require_same_type(std::size_t i, std::size_t j) const;

  /// The attribute as T; fails when it is missing or of another kind: text IR can hold anything.
  template <class T>
  const T& attribute(const std::string& name) const {
    const ir::Attribute* a = op_->attributes.find(name);
    const T* value = a ? std::get_if<T>(a) : nullptr;
    if (!value) bad_attribute(name, !a);
    return *value;
  }
  /// An axis in [0, rank); fails otherwise.
  void require_axis(std::int64_t axis, std::size_t rank, const std::string& what = "axis") const;
  /// Distinct axes in [0, rank).
  void require_axes(const ir::Integers& axes, std::size_t rank, const std::string& what = "axes") const;

 private:
  [[noreturn]] void bad_attribute(const std::string& name, bool missing) const;
  const ir::Op* op_;
};

/// Runs the op's checks (arity included) and its shape rule. Throws Error.
std::vector<ir::Type> infer_types(const ir::Op& op);

}  // namespace pullback::ops
