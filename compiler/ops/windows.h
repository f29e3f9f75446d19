// Windows that slide over the trailing axes of a tensor: the geometry that convolution and the window ops share.
#pragma once

#include <functional>
#include <vector>

#include "compiler/ops/build.h"
#include "compiler/ops/contexts.h"

namespace pullback::ops {

/// One entry of each list for each window axis. Window p covers, tap by tap, the positions
/// p*stride + tap*window_dilation - low of the operand; with a base dilation only positions that it divides hold an
/// element: position / base_dilation. Everything else is padding.
struct Windows {
  Shape sizes;  ///< taps
  std::vector<std::int64_t> strides, base_dilation, window_dilation;
  Shape low, high;  ///< elements added (negative: taken away) before and behind, after base dilation

  std::size_t rank() const { return sizes.size(); }
  /// Elements from the first to the last tap: (size - 1) * window_dilation + 1
  Dim span(std::size_t axis) const { return (sizes[axis] - 1) * window_dilation[axis] + 1; }

  /// The attributes strides, low, high, base_dilation and window_dilation (not sizes).
  ir::Attributes attributes() const;
  /// From the attributes of an op, with the given sizes.
  static Windows of(const ir::Attributes& attributes, Shape sizes);
  /// The same, checked: lists of equal length, strides and dilations above 0.
  static Windows of(const InferContext& c, Shape sizes);

  /// How many windows fit along `axis` into `size` elements. Fails when the window is larger than the padded operand.
  Dim count(const InferContext& c, std::size_t axis, const Dim& size) const;

  /// The windows of the operand's gradient, which slide over the result's: `operand` are the sizes of the operand's
  /// window axes, `result` those of the result. Taps come in reverse order.
  Windows transposed(const Shape& operand, const Shape& result) const;
};

/// x:[N,C,S...] w:[O,C/groups,K...] -> [N/batch_groups,O,...]; see op_convolution. `windows.sizes` are w's.
Value convolution(Value x, Value w, const Windows& windows, std::int64_t groups = 1, std::int64_t batch_groups = 1);
/// Folds over windows of the trailing axes; see the ops. Sizes of windows are numbers.
Value reduce_window_sum(Value x, const Windows& windows);
Value reduce_window_max(Value x, const Windows& windows);
/// The tap (i32, row-major within the window) of each window's first maximum; -1 where it holds no element.
Value window_argmax(Value x, const Windows& windows);
/// Each g added where the tap of its window lies; `sizes` are the window axes of the result.
Value window_scatter(Value g, Value taps, const Windows& windows, Shape sizes);
/// Where taps lie: the positions (i64, row-major) within axes of `sizes`; -1 for none, and for one in the padding.
Value window_positions(Value taps, const Windows& windows, const Shape& sizes);

/// Where tap `tap` of window `window` lies in the operand, for lowering: indices along the window axes, and the
/// condition under which there is an element; null: always.
struct TapPlace {
  Indices at;
  kernel::Value* inside = nullptr;
};
TapPlace place_of(kernel::Builder& b, const Windows& w, const std::vector<std::int64_t>& dims, const Indices& window,
                  const Indices& tap);

/// The same for evaluation. False where there is no element.
bool place_of(const Windows& w, const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& window,
              const std::vector<std::int64_t>& tap, std::vector<std::int64_t>& at);

}  // namespace pullback::ops
