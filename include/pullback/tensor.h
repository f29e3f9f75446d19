// Tensors of a graph, and the operands of its operators.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <vector>

#include <pullback/dim.h>
#include <pullback/dtype.h>
#include <pullback/error.h>

namespace pullback {

namespace ir {
class Value;
}
namespace detail {
class Trace;
}

/// The user's line. Functions of the DSL take it as their defaulted last parameter.
using SourceLocation = std::source_location;

/// A value of the graph: it has a type and a shape, and gets numbers when a Program runs. A cheap handle to copy;
/// moving copies, so that the tensor that was moved from is still the same value.
class Tensor {
 public:
  /// Undefined; using it throws Error.
  Tensor() = default;
  Tensor(std::shared_ptr<detail::Trace> trace, ir::Value* value) : trace_(std::move(trace)), value_(value) {}
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;

  bool defined() const { return value_ != nullptr; }
  DType dtype() const;
  const Shape& shape() const;
  std::size_t rank() const { return shape().size(); }
  /// The size of an axis; negative axes count from the last.
  Dim size(int axis, SourceLocation where = SourceLocation::current()) const;
  /// "f32[batch,784]".
  std::string type_string() const;
  /// The name that dumps print; "" when it has none.
  const std::string& name() const;
  /// Names the tensor in dumps and in results. Returns it.
  Tensor named(std::string name, SourceLocation where = SourceLocation::current()) const;

  ir::Value* value() const { return value_; }
  const std::shared_ptr<detail::Trace>& trace() const { return trace_; }

 private:
  std::shared_ptr<detail::Trace> trace_;  // shared: a tensor keeps its graph alive
  ir::Value* value_ = nullptr;
};

/// A tensor or a number. A number is weakly typed: it takes the dtype of the tensor that it meets. The constructor
/// records the user's line, which an overloaded operator could not take as a parameter.
class Operand {
 public:
  Operand(const Tensor& tensor, SourceLocation where = SourceLocation::current())  // NOLINT: conversion is the point
      : tensor_(tensor), where_(where) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Operand(T number, SourceLocation where = SourceLocation::current())  // NOLINT
      : real_(static_cast<double>(number)),
        integer_(static_cast<std::int64_t>(number)),
        kind_(std::same_as<T, bool> ? Kind::logical
              : std::integral<T>    ? Kind::integer
                                    : Kind::real),
        where_(where) {}

  enum class Kind : std::uint8_t { tensor, logical, integer, real };
  Kind kind() const { return kind_; }
  bool is_tensor() const { return kind_ == Kind::tensor; }
  const Tensor& tensor() const { return tensor_; }
  double real() const { return real_; }
  std::int64_t integer() const { return integer_; }
  const SourceLocation& where() const { return where_; }

 private:
  Tensor tensor_;
  double real_ = 0;
  std::int64_t integer_ = 0;  // meaningful for integer and logical
  Kind kind_ = Kind::tensor;
  SourceLocation where_;
};

/// Axes of a tensor; negative ones count from the last.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : axes_{axis} {}                          // NOLINT: sum(x, 1)
  Axes(std::initializer_list<int> axes) : axes_(axes) {}   // NOLINT: sum(x, {0, 1})
  Axes(std::vector<int> axes) : axes_(std::move(axes)) {}  // NOLINT
  const std::vector<int>& values() const { return axes_; }
  bool empty() const { return axes_.empty(); }

 private:
  std::vector<int> axes_;
};

}  // namespace pullback
