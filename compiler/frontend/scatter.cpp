// Tensors with elements replaced or changed at computed indices.
#include <limits>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/indexing.h"
#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

namespace {

using Scatter = ops::Value (*)(ops::Value x, ops::Value indices, ops::Value updates, std::int64_t axis,
                               std::int64_t batch);

// What the functions of a scatter check first.
int checked_axis(const char* op, const Tensor& x, int axis, const Tensor& indices, const SourceLocation& where) {
  detail::require_defined(op, indices, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_index(op, indices, line);
  axis = detail::normalize_axis(op, x, axis, line);
  detail::check_indices(op, indices, x, axis, where);
  return axis;
}

// Along the axis, with all others as batch axes: they go first, and sizes there agree.
Tensor scatter_lines(const char* op, const Tensor& x, int axis, const Tensor& indices, const Tensor& updates,
                     Scatter write, const SourceLine& line) {
  const int last = static_cast<int>(x.rank()) - 1;
  const Tensor result = x.trace()->emit(
      op, {transpose(x, axis, last), transpose(indices, axis, last), transpose(updates, axis, last)}, line,
      [&](ir::Builder&, const std::vector<ops::Value>& v) { return write(v[0], v[1], v[2], last, last); });
  return transpose(result, axis, last);
}

// x is cut to the indices beside the axis, written to, and put back.
Tensor scatter_part(const char* op, const Tensor& x, int axis, const Tensor& indices, const Tensor& updates,
                    Scatter write, const SourceLine& line) {
  const Tensor part = detail::cut_beside(op, x, indices.shape(), axis, line);
  const Tensor written = scatter_lines(op, part, axis, indices, updates, write, line);
  if (part.shape() == x.shape()) return written;
  return x.trace()->emit(op, {x, written}, line, [&](ir::Builder& b, const std::vector<ops::Value>& v) {
    return ops::dynamic_update_slice(v[0], v[1], std::vector<ops::Value>(x.rank(), ops::scalar(b, DType::i64, 0)));
  });
}

// Updates as a tensor of the indices' shape: a number repeated, or a tensor that is cut to it.
Tensor fitted_updates(const char* op, const Tensor& x, const Tensor& indices, const Operand& updates,
                      const SourceLine& line) {
  if (!updates.is_tensor()) return detail::fill(*x.trace(), x.dtype(), indices.shape(), updates.real(), line);
  detail::require_defined(op, updates.tensor(), updates.where());
  if (updates.tensor().dtype() != x.dtype())
    fail(op, fmt::format("x is {}, the updates are {}", x.type_string(), updates.tensor().type_string()), line);
  return detail::cut_beside(op, updates.tensor(), indices.shape(), -1, line);
}

Tensor scatter_with(const char* op, const Tensor& x, int axis, const Tensor& indices, const Operand& updates,
                    Scatter write, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = checked_axis(op, x, axis, indices, where);
  return scatter_part(op, x, axis, indices, fitted_updates(op, x, indices, updates, line), write, line);
}

// Slices of x at a vector of indices.
Tensor scatter_slices(const char* op, const Tensor& x, int axis, const Tensor& indices, const Tensor& updates,
                      Scatter write, const SourceLocation& where) {
  const SourceLine line = x.trace()->line(where);
  axis = checked_axis(op, x, axis, indices, where);
  Shape expected = x.shape();
  expected[static_cast<std::size_t>(axis)] = indices.rank() == 1 ? indices.size(0) : Dim(-1);
  if (updates.shape() != expected || updates.dtype() != x.dtype())
    fail(op,
         fmt::format("x is {}, indices are {}, updates are {}: x's type is needed, with the length of a vector of "
                     "indices at axis {}",
                     x.type_string(), indices.type_string(), updates.type_string(), axis),
         line);
  return x.trace()->emit(op, {x, indices, updates}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return write(v[0], v[1], v[2], axis, 0);
  });
}

// What a fold starts from when x's own element is left out.
double identity_of(ScatterReduction reduction, DType dtype) {
  const double unbounded = is_float(dtype) ? std::numeric_limits<double>::infinity() : 0x1p63;  // saturates
  switch (reduction) {
    case ScatterReduction::prod:
      return 1;
    case ScatterReduction::amax:
      return -unbounded;
    case ScatterReduction::amin:
      return unbounded;
    default:
      return 0;
  }
}

Scatter writer_of(ScatterReduction reduction) {
  switch (reduction) {
    case ScatterReduction::prod:
      return ops::scatter_mul;
    case ScatterReduction::amax:
      return ops::scatter_max;
    case ScatterReduction::amin:
      return ops::scatter_min;
    default:
      return ops::scatter_add;
  }
}

}  // namespace

Tensor scatter(const Tensor& x, int axis, const Tensor& indices, const Operand& updates, SourceLocation where) {
  return scatter_with("scatter", x, axis, indices, updates, ops::scatter, where);
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& indices, const Operand& updates, SourceLocation where) {
  return scatter_with("scatter_add", x, axis, indices, updates, ops::scatter_add, where);
}

Tensor scatter_reduce(const Tensor& x, int axis, const Tensor& indices, const Tensor& updates,
                      ScatterReduction reduction, bool include_self, SourceLocation where) {
  const char* op = "scatter_reduce";
  detail::require_defined(op, x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = checked_axis(op, x, axis, indices, where);
  const Tensor fitted = fitted_updates(op, x, indices, updates, line);
  const auto number = [&](const Shape& shape, double value) {
    return detail::fill(*x.trace(), x.dtype(), shape, value, line);
  };
  const Tensor start =
      include_self ? x
                   : scatter_part(op, x, axis, indices, number(indices.shape(), identity_of(reduction, x.dtype())),
                                  ops::scatter, line);
  const Tensor folded = scatter_part(op, start, axis, indices, fitted, writer_of(reduction), line);
  if (reduction != ScatterReduction::mean) return folded;
  detail::require_float(op, x, line);
  const Tensor count = scatter_part(op, number(x.shape(), include_self ? 1 : 0), axis, indices,
                                    number(indices.shape(), 1), ops::scatter_add, line);
  return folded / maximum(count, 1);
}

Tensor index_add(const Tensor& x, int axis, const Tensor& indices, const Tensor& updates, double alpha,
                 SourceLocation where) {
  detail::require_defined("index_add", x, where);
  detail::require_defined("index_add", updates, where);
  detail::Pin pin(x, where);
  detail::require_number("index_add", "alpha", alpha, x.trace()->line(where));
  return scatter_slices("index_add", x, axis, indices, alpha == 1 ? updates : updates * alpha, ops::scatter_add, where);
}

Tensor index_copy(const Tensor& x, int axis, const Tensor& indices, const Tensor& updates, SourceLocation where) {
  detail::require_defined("index_copy", x, where);
  detail::require_defined("index_copy", updates, where);
  detail::Pin pin(x, where);
  return scatter_slices("index_copy", x, axis, indices, updates, ops::scatter, where);
}

Tensor index_fill(const Tensor& x, int axis, const Tensor& indices, double value, SourceLocation where) {
  detail::require_defined("index_fill", x, where);
  detail::require_defined("index_fill", indices, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  axis = detail::normalize_axis("index_fill", x, axis, line);
  Shape shape = x.shape();
  if (indices.rank() == 1) shape[static_cast<std::size_t>(axis)] = indices.size(0);
  return scatter_slices("index_fill", x, axis, indices, detail::fill(*x.trace(), x.dtype(), shape, value, line),
                        ops::scatter, where);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Operand& value, SourceLocation where) {
  detail::require_defined("masked_fill", x, where);
  detail::require_defined("masked_fill", mask, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  const std::string operands = fmt::format("x is {}, the mask is {}", x.type_string(), mask.type_string());
  if (mask.dtype() != boolean) fail("masked_fill", operands + ": bool is needed", line);
  if (value.is_tensor() && value.tensor().defined() && value.tensor().rank() != 0)
    fail("masked_fill", fmt::format("the value is {}: a scalar is needed", value.tensor().type_string()), line);
  if (detail::broadcast_shapes("masked_fill", {x.shape(), mask.shape()}, operands, line) != x.shape())
    fail("masked_fill", operands + ", which is larger", line);
  return pullback::where(mask, value, x);
}

}  // namespace pullback
