#include "compiler/ops/infer_context.h"

#include <algorithm>

#include <fmt/format.h>

namespace pullback::ops {

void InferContext::fail(const std::string& message) const {
  std::string text = fmt::format("{}: {}", op_->def->name, message);
  for (std::size_t i = 0; i < operand_count(); ++i)
    text += fmt::format("{}{}", i == 0 ? (operand_count() == 1 ? ": operand " : ": operands ") : ", ",
                        ir::to_string(type(i)));
  throw Error(text, op_->location->line);
}

void InferContext::require_float(std::size_t i) const {
  if (!is_float(dtype(i))) fail(fmt::format("operand {} must be floating, not {}", i, name_of(dtype(i))));
}

void InferContext::require_number(std::size_t i) const {
  if (dtype(i) == DType::boolean) fail(fmt::format("operand {} must hold numbers, not bool", i));
}

void InferContext::require_integer(std::size_t i) const {
  if (!is_integer(dtype(i))) fail(fmt::format("operand {} must hold integers, not {}", i, name_of(dtype(i))));
}

void InferContext::require_bits(std::size_t i) const {
  if (is_float(dtype(i))) fail(fmt::format("operand {} must hold integers or bool, not {}", i, name_of(dtype(i))));
}

void InferContext::require_boolean(std::size_t i) const {
  if (dtype(i) != DType::boolean) fail(fmt::format("operand {} must be bool, not {}", i, name_of(dtype(i))));
}

void InferContext::require_index(std::size_t i) const {
  if (dtype(i) != DType::i32 && dtype(i) != DType::i64)
    fail(fmt::format("operand {} holds indices and must be i32 or i64, not {}", i, name_of(dtype(i))));
}

void InferContext::require_scalar(std::size_t i) const {
  if (rank(i) != 0) fail(fmt::format("operand {} must be a scalar", i));
}

void InferContext::require_same_dtype(std::size_t i, std::size_t j) const {
  if (dtype(i) != dtype(j))
    fail(fmt::format("element types {} and {} differ; convert one", name_of(dtype(i)), name_of(dtype(j))));
}

void InferContext::require_same_type(std::size_t i, std::size_t j) const {
  require_same_dtype(i, j);
  if (shape(i) != shape(j))
    fail(fmt::format("shapes {} and {} differ", pullback::to_string(shape(i)), pullback::to_string(shape(j))));
}

void InferContext::require_axis(std::int64_t axis, std::size_t axis_count, const std::string& what) const {
  if (axis < 0 || axis >= static_cast<std::int64_t>(axis_count))
    fail(fmt::format("{} {} is outside [0,{})", what, axis, axis_count));
}

void InferContext::require_axes(const ir::Integers& axes, std::size_t axis_count, const std::string& what) const {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    require_axis(axes[i], axis_count, what);
    if (std::find(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(i), axes[i]) !=
        axes.begin() + static_cast<std::ptrdiff_t>(i))
      fail(fmt::format("{} names axis {} twice", what, axes[i]));
  }
}

void InferContext::bad_attribute(const std::string& name, bool missing) const {
  fail(fmt::format("attribute '{}' {}", name, missing ? "is missing" : "is of the wrong kind"));
}

std::vector<ir::Type> infer_types(const ir::Op& op) {
  const InferContext c(op);
  const int arity = op.def->arity;
  if (arity >= 0 && op.operands.size() != static_cast<std::size_t>(arity))
    c.fail(fmt::format("takes {} operand{}, not {}", arity, arity == 1 ? "" : "s", op.operands.size()));
  std::vector<ir::Type> types = op.def->infer(c);
  for (const ir::Type& type : types)
    for (const Dim& size : type.shape)
      if (size.is_constant() && size.constant() < 0)
        c.fail(fmt::format("the result would be {}, with a negative size", ir::to_string(type)));
  return types;
}

}  // namespace pullback::ops
