// What convolutions, pooling and resizing share: options of one number for each spatial axis, and operands with or
// without a batch axis.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <pullback/padding.h>
#include <pullback/per_axis.h>

#include "compiler/frontend/operands.h"
#include "compiler/ops/windows.h"

namespace pullback::detail {

/// One call of a function of `axes` spatial axes: x with a batch axis, checks that name the function, and the way back.
class Spatial {
 public:
  /// Checks that x is [N,C,spatial...] or [C,spatial...].
  Spatial(const std::string& op, std::size_t axes, const Tensor& x, const SourceLocation& where);

  const std::string& op() const { return op_; }
  const SourceLine& line() const { return line_; }
  std::size_t axes() const { return axes_; }
  /// [N,C,spatial...]
  const Tensor& x() const { return x_; }
  /// x's size along a spatial axis.
  const Dim& size(std::size_t axis) const { return x_.shape()[axis + 2]; }
  /// The same as a number; fails when it is a symbol.
  std::int64_t known_size(std::size_t axis) const;

  /// One entry for each axis, at least `least`; `what` is what the user calls it.
  std::vector<std::int64_t> values(const char* what, const PerAxis& given, std::int64_t least) const;
  [[noreturn]] void fail(const std::string& message) const { detail::fail(op_, message, line_); }

  /// Appends what `write` makes of the tensors.
  Tensor emit(const std::vector<Tensor>& operands, const Trace::Writer& write) const {
    return x_.trace()->emit(op_, operands, line_, write);
  }
  /// The result in x's form: without a batch axis when x came without one.
  Tensor finish(const Tensor& result) const;

  /// Fails, with the sizes, when a window is larger than what it slides over.
  void require_fit(const ops::Windows& windows) const;

 private:
  std::string op_;
  std::size_t axes_;
  SourceLine line_;
  Pin pin_;
  Tensor x_;
  bool batched_ = true;
};

/// Windows of `sizes` without padding, stride 1, no dilation.
ops::Windows plain_windows(const std::vector<std::int64_t>& sizes);
Shape as_shape(const std::vector<std::int64_t>& sizes);

/// x at constant positions along an axis.
Tensor at_positions(const Tensor& x, int axis, const std::vector<std::int64_t>& positions, const SourceLine& line);
/// A constant vector.
Tensor vector_of(Trace& trace, DType dtype, const std::vector<double>& values, const SourceLine& line);

}  // namespace pullback::detail
