// Handles: what a tensor says about itself.
#include <pullback/tensor.h>

#include <fmt/format.h>

#include "compiler/frontend/trace.h"

namespace pullback {

static ir::Value* checked(ir::Value* value) {
  if (!value) throw Error("an undefined tensor is used: give it a value first");
  return value;
}

DType Tensor::dtype() const {
  return checked(value_)->type.dtype;
}

const Shape& Tensor::shape() const {
  return checked(value_)->type.shape;
}

Dim Tensor::size(int axis, SourceLocation where) const {
  const int count = static_cast<int>(rank());
  if (axis < -count || axis >= count) throw Error(fmt::format("there is no axis {} in {}", axis, type_string()), where);
  return shape()[static_cast<std::size_t>(axis < 0 ? axis + count : axis)];
}

std::string Tensor::type_string() const {
  return ir::to_string(checked(value_)->type);
}

const std::string& Tensor::name() const {
  return checked(value_)->name;
}

Tensor Tensor::named(std::string name, SourceLocation where) const {
  checked(value_);
  // The names of arguments are how programs find their inputs and state.
  if (!value_->definer) throw Error(fmt::format("{} is an input or parameter: its name is fixed", value_->name), where);
  value_->name = std::move(name);
  return *this;
}

}  // namespace pullback
