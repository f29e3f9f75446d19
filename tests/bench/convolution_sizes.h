// The convolutions that are timed: images of two axes, and the three passes over one.
#pragma once

#include <cstdint>

namespace pullback::bench {

enum class Pass : std::uint8_t { forward, input_gradient, kernel_gradient };

struct ConvolutionSizes {
  std::int64_t batch, in, out, height, width, kernel;
  std::int64_t stride = 1, dilation = 1, groups = 1;

  std::int64_t padding() const { return dilation * (kernel - 1) / 2; }
  std::int64_t result(std::int64_t size) const {
    return (size + 2 * padding() - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

}  // namespace pullback::bench
