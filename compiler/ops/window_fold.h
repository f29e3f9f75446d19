// What the ops that fold over windows share: shape rule, walking the taps, samples. Their windows cover the last
// window.size() axes of operand 0.
#pragma once

#include <functional>
#include <vector>

#include "compiler/ops/define.h"
#include "compiler/ops/windows.h"

namespace pullback::ops {

/// From an op's attributes, `window` being the sizes.
Windows windows_of(const ir::Op& op);
/// Checks the attributes; the shape of operand 0 with as many windows along the last axes as fit.
Shape windowed_shape(const InferContext& c);
/// Checks the attributes against an operand of `shape`.
Shape windowed_shape(const InferContext& c, const Shape& shape);

/// Folds body over all indices below `extents`, in row-major order; few are written out.
kernel::Value* fold_over(LowerContext& c, const std::vector<std::int64_t>& extents, kernel::Combine how, DType dtype,
                         const std::function<kernel::Value*(const Indices&)>& body);

/// One window at c.indices() of a result of the windowed shape.
class WindowFold {
 public:
  explicit WindowFold(LowerContext& c) : WindowFold(c, windows_of(c.op())) {}
  /// Other windows than the op's attributes say, sliding over operand 0.
  WindowFold(LowerContext& c, Windows windows);

  /// The operand's indices at a tap, leading axes included.
  TapPlace place(LowerContext& c, const Indices& tap) const;
  kernel::Value* over_taps(LowerContext& c, kernel::Combine how, DType dtype,
                           const std::function<kernel::Value*(const Indices& tap)>& body) const {
    return fold_over(c, sizes_, how, dtype, body);
  }
  /// The row-major number of a tap.
  kernel::Index number(const Indices& tap) const { return kernel::flatten(tap, sizes_); }

 private:
  Windows windows_;
  std::vector<std::int64_t> dims_;   ///< of the operand's window axes
  std::vector<std::int64_t> sizes_;  ///< of the window
};

/// A tap that meets an element: its row-major number within the window, the element's position in operand 0.
struct WindowTap {
  std::int64_t number = 0, position = 0;
};
/// Evaluation: for each result element its position, and the taps of its window that meet elements, in order.
void for_each_window(const EvalContext& c,
                     const std::function<void(std::int64_t position, const std::vector<WindowTap>& taps)>& visit);
/// x[i] > x[j]; a NaN is larger than all but a NaN.
bool is_larger(const ir::Literal& x, std::int64_t i, std::int64_t j);

/// Operands and attributes that try every part of a window.
std::vector<Sample> window_samples();

}  // namespace pullback::ops
