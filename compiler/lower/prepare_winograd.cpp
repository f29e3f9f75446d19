#include "compiler/lower/prepare_winograd.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/lower/view.h"
#include "compiler/ops/convolution.h"
#include "compiler/ops/winograd.h"

namespace pullback::lower {
namespace {

using ops::Value;
using ops::Windows;

/// Channels, or those of one of several groups: with fewer, transforms cost what products save.
constexpr std::int64_t kFewChannels = 8, kFewOfGroup = 16;

/// The products along an axis that are not with padding.
double products_along(const Convolution& c, std::size_t d) {
  const std::int64_t size = c.x.size(d + 2).constant(), low = c.windows.low[d].constant();
  std::int64_t products = 0;
  for (std::int64_t tap = 0; tap < c.windows.sizes[d].constant(); ++tap)
    for (std::int64_t at = 0; at < c.result[d + 2].constant(); ++at)
      if (at + tap >= low && at + tap - low < size) ++products;
  return static_cast<double>(products);
}

/// x with the elements along `axis` as neighbours.
Value along(Value x, std::size_t axis) {
  if (strides_in_place(x)[axis] == 1) return x;
  const Value copy = copied(x);
  ir::set_layout(*copy.value->definer, axis == 0 ? first_innermost(x.rank()) : ops::channels_last(x.rank()));
  return copy;
}

/// Slabs of the sum over images, which threads share where the sums are few.
std::int64_t slabs_of_tiles(const Convolution& c) {
  const std::int64_t images = c.x.size(1).constant(), operands = count_of(*c.x.value) + count_of(*c.w.value);
  const std::int64_t results = 16 * c.x.size(0).constant() / c.batch_groups * c.w.size(0).constant();
  for (const std::int64_t slabs : {8, 4, 2})
    if (images % slabs == 0 && images > slabs && 4 * slabs * results <= operands) return slabs;
  return 1;
}

}  // namespace

bool gains_by_winograd(const Convolution& c, std::int64_t lanes) {
  const Windows& windows = c.windows;
  const bool sums = sums_over_images(c);
  if (!c.may_use_winograd || windows.rank() != 2 || c.x.dtype() != DType::f32 || (sums ? c.groups : c.batch_groups) > 1)
    return false;
  std::int64_t tiles = sums ? c.x.size(1).constant() : c.result[0].constant();
  for (std::size_t d = 0; d < 2; ++d) {
    const Dim &taps = sums ? c.result[d + 2] : windows.sizes[d], &results = sums ? windows.sizes[d] : c.result[d + 2];
    if (taps != Dim(3) || windows.strides[d] != 1 || windows.base_dilation[d] != 1 || windows.window_dilation[d] != 1)
      return false;
    tiles *= (results.constant() + 1) / 2;
  }
  const auto vectors = [&](std::int64_t size) { return static_cast<double>((size + lanes - 1) / lanes); };
  const std::int64_t inputs = c.x.size(sums ? 0 : 1).constant(), outputs = c.w.size(0).constant(),
                     groups = c.groups * c.batch_groups;
  if (std::min(inputs, outputs) / groups < (groups > 1 ? kFewOfGroup : kFewChannels)) return false;
  const double products = static_cast<double>(inputs) * vectors(outputs / groups);
  const double plain = static_cast<double>(sums ? c.x.size(1).constant() : c.result[0].constant()) *
                       products_along(c, 0) * products_along(c, 1) * products;
  // Measured, in the time that a vector's products take: the transforms of a vector of channels of a tile, and of one
  // of a pair of channels, whether or not the second level of the cache keeps the kernels.
  constexpr double kOfTile = 64, kOfNearKernel = 50, kOfFarKernel = 120, kGain = 0.9;
  constexpr std::int64_t kNearKernelBytes = 512 * 1024;
  const double of_kernel = 16 * inputs / groups * outputs * 4 <= kNearKernelBytes ? kOfNearKernel : kOfFarKernel;
  const double by_tiles =
      static_cast<double>(tiles) * (16 * products + kOfTile * (vectors(inputs) + vectors(outputs))) +
      of_kernel * products;
  return by_tiles < kGain * plain;
}

Value by_winograd(const Convolution& c) {
  Value result;
  if (sums_over_images(c)) {
    const Value products =
        ops::winograd_products(along(c.x, 0), along(c.w, 0), c.windows, slabs_of_tiles(c), c.batch_groups);
    result = ops::winograd_result(products);
  } else {
    const Value w = is_along_channels(c.w) ? c.w : along_channels(c.w);
    result = ops::winograd_convolution(along(c.x, 1), ops::winograd_filter(w), c.windows, c.groups);
  }
  ir::set_layout(*result.value->definer, ops::channels_last(c.result.size()));
  return result;
}

}  // namespace pullback::lower
