// Operands made equal: numbers become constants of the tensor's dtype, shapes are broadcast by NumPy's rules.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pullback/tensor.h>

#include "compiler/frontend/trace.h"
#include "compiler/support/small_vector.h"

namespace pullback::detail {

/// Throws Error("OP: MESSAGE (LINE)").
[[noreturn]] void fail(std::string_view op, const std::string& message, const SourceLine& line);

/// Operands of one op on the way to equal types.
class Operands {
 public:
  /// At least one must be a tensor, else Error. `op` lives as long as this.
  Operands(std::string_view op, std::initializer_list<const Operand*> operands, const SourceLocation& where);
  /// All of one dtype and broadcast to one shape.
  std::vector<Tensor> unified();
  /// The op of all of them, unified.
  Tensor create(const ops::OpDef& def, ir::Attributes attributes = {});
  /// Broadcast to one shape, dtypes left alone; numbers take `literal_dtype`.
  std::vector<Tensor> broadcast(DType literal_dtype);

  Trace& trace() const { return *trace_; }
  const SourceLine& line() const { return line_; }
  /// "operands are f32[3] and i32[3]".
  std::string describe() const;

 private:
  DType common_dtype() const;
  ir::Value* materialize(const Operand& operand, DType dtype) const;
  std::vector<ir::Value*> broadcast_values(DType literal_dtype) const;

  std::string_view op_;
  SmallVector<const Operand*, 3> operands_;
  Trace* trace_ = nullptr;
  SourceLine line_;
};

/// NumPy's rule: sizes agree from the last axis on, or one of them is 1. Throws Error listing the shapes.
Shape broadcast_shapes(std::string_view op, const std::vector<Shape>& shapes, const std::string& description,
                       const SourceLine& line);
/// The same; `description` is called for the error's text alone.
Shape broadcast_shapes(std::string_view op, const std::vector<Shape>& shapes,
                       const std::function<std::string()>& description, const SourceLine& line);
/// Inserts the broadcast op unless the shape is already right; `shape` must be reachable by NumPy's rule.
Tensor broadcast_to(const Tensor& x, const Shape& shape, const SourceLine& line);
/// A constant of one value in any shape.
Tensor fill(Trace& trace, DType dtype, const Shape& shape, double value, const SourceLine& line);

/// The axis from the front. Throws Error when it is outside -rank..rank-1.
int normalize_axis(std::string_view op, const Tensor& x, int axis, const SourceLine& line);
/// Sorted, without repetition (else Error); all axes when none are given.
std::vector<int> normalize_axes(std::string_view op, const Tensor& x, const Axes& axes, const SourceLine& line);
std::vector<std::int64_t> as_integers(const std::vector<int>& axes);

void require_float(std::string_view op, const Tensor& x, const SourceLine& line);
void require_defined(std::string_view op, const Tensor& x, const SourceLocation& where);
/// An option that is NaN: "leaky_relu: negative_slope is nan: it is no number".
void require_number(std::string_view op, const char* what, double value, const SourceLine& line);
/// An option that must be finite and at least 0, such as what is added to a divisor.
void require_at_least_zero(std::string_view op, const char* what, double value, const SourceLine& line);
/// Throws Error unless a number can be an element of this type: integers take whole numbers of their range.
void require_fit(std::string_view op, double value, DType dtype, const SourceLine& line);
void require_fit(std::string_view op, std::int64_t value, DType dtype, const SourceLine& line);
/// Throws Error unless the user's function, a branch or body, is there.
template <class Function>
void require_function(std::string_view op, const char* what, const Function& function, const SourceLine& line) {
  if (!function) fail(op, std::string("the ") + what + " is an empty function", line);
}
/// The line in the trace of `x`, which must be defined.
SourceLine line_of(std::string_view op, const Tensor& x, const SourceLocation& where);

}  // namespace pullback::detail
