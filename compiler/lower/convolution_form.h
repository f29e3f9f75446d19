// A convolution on its way to the form that kernels read in place, and what decides that form.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/ops/windows.h"

namespace pullback::lower {

struct Convolution {
  ops::Value x, w;
  ops::Windows windows;
  Shape result;  ///< of the whole
  std::int64_t groups = 1, batch_groups = 1;
  bool channels_last = false;  ///< the result's layout; windows are then read without padding in memory
  bool may_use_winograd = false;
  bool is_row_major = false;  ///< as the result is wanted
};

/// The gradient of the kernels, along axis `d` of the windows or all: the windows are whole images.
bool sums_over_images(const Convolution& c, std::size_t d);
bool sums_over_images(const Convolution& c);

/// Strides of a value as it will be read: of what it only moves, if that can be read in place.
std::vector<std::int64_t> strides_in_place(const ops::Value& x);
ops::Value copied(ops::Value x);
/// The order in memory in which the elements of one dimension, here the first, are neighbours.
ir::Integers first_innermost(std::size_t rank);

/// Are neighbouring output channels of the kernels neighbours in memory already?
bool is_along_channels(const ops::Value& w);
/// A copy of the kernels in which they are.
ops::Value along_channels(ops::Value w);

}  // namespace pullback::lower
