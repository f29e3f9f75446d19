// Convolutions by Winograd's minimal filtering, where that is faster: as tensors. What the ops do: ops/winograd.cpp;
// their kernels: winograd.h.
#pragma once

#include "compiler/lower/convolution_form.h"

namespace pullback::lower {

/// Are fewer products (16 for tiles of 4x4 elements, rather than 36) worth the transforms of tiles, and of kernels or
/// of their gradient? Of f32 with 3x3 kernels, without strides and dilations. `lanes`: elements of a vector.
bool gains_by_winograd(const Convolution& c, std::int64_t lanes);

/// The convolution by winograd_convolution, or the gradient of its kernels by winograd_products, with its channels
/// last.
ops::Value by_winograd(const Convolution& c);

}  // namespace pullback::lower
