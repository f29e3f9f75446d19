// What statistics, norms and losses share.
#pragma once

#include <vector>

#include <pullback/tensor.h>

namespace pullback::detail {

/// How many elements of x the axes fold into one, as a scalar: a number only once the sizes are known.
Tensor folded_count(const Tensor& x, const std::vector<int>& axes, DType dtype, const SourceLine& line);

/// The maximum or minimum over axes, which are kept as size 1; of no elements -infinity or infinity, and no Error.
Tensor largest(const Tensor& x, const std::vector<int>& axes, const SourceLine& line);
Tensor smallest(const Tensor& x, const std::vector<int>& axes, const SourceLine& line);

/// 0, 1, 2, ... along `axis`, in a shape that broadcasts against x: size 1 on all other axes.
Tensor positions_along(const Tensor& x, int axis, DType dtype, const SourceLine& line);

}  // namespace pullback::detail
