// A beginner's loss that cannot be minimized: prediction - target, without a square.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback::detail {

/// A warning when `loss` is, up to sums, means and factors, a signed difference between something that is linear in one
/// of the trained tensors (so that its sign is free) and something that depends on none of them. Nothing otherwise.
std::optional<std::string> raw_difference_warning(const Tensor& loss, const std::vector<Tensor>& trained);

}  // namespace pullback::detail
