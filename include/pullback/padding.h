// Tensors made larger at their ends.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// Elements added before and after an axis; negative: taken away.
struct Padding {
  std::int64_t low = 0, high = 0;
};

/// What the new elements are. For the row 1 2 3 4, with two of them before it:
enum class PaddingMode : std::uint8_t {
  constant,   ///< a given value:                                  0 0 1 2 3 4
  reflect,    ///< the row mirrored at its first and last element: 3 2 1 2 3 4; fewer than there are elements
  replicate,  ///< the first and the last element again:           1 1 1 2 3 4
  circular    ///< the row repeated:                               3 4 1 2 3 4; at most as many as there are elements
};

/// One padding for each axis; the new elements are `value`.
Tensor pad(const Tensor& x, const std::vector<Padding>& padding, double value = 0,
           SourceLocation where = SourceLocation::current());
/// One padding for each axis. `value` is for PaddingMode::constant.
Tensor pad(const Tensor& x, const std::vector<Padding>& padding, PaddingMode mode, double value = 0,
           SourceLocation where = SourceLocation::current());

}  // namespace pullback
