// Tensors made larger at their ends.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// Elements added before and after an axis.
struct Padding {
  std::int64_t low = 0, high = 0;
};
/// One padding for each axis; the new elements are `value`.
Tensor pad(const Tensor& x, const std::vector<Padding>& padding, double value = 0,
           SourceLocation where = SourceLocation::current());

}  // namespace pullback
