// Images (or series, or volumes) in another size.
#pragma once

#include <cstdint>
#include <vector>

#include <pullback/per_axis.h>
#include <pullback/tensor.h>

namespace pullback {

enum class Interpolation : std::uint8_t {
  nearest,        ///< the element at floor(i / scale)
  nearest_exact,  ///< the element at floor((i + 0.5) / scale)
  linear,         ///< one spatial axis; between the two neighbours
  bilinear,       ///< two
  trilinear,      ///< three
  bicubic,        ///< two; Keys' kernel of four elements an axis with a = -0.75
  area            ///< adaptive_avg_pool
};

struct InterpolateOptions {
  PerAxis size = {};                      ///< of the result's spatial axes: give this, or scale_factor
  std::vector<double> scale_factor = {};  ///< one for all axes or one for each; sizes are rounded down
  Interpolation mode = Interpolation::nearest;
  bool align_corners = false;  ///< of the linear modes and bicubic: first and last elements lie on each other
  /// Positions follow from the sizes, not from scale_factor: they differ where a size was rounded.
  bool recompute_scale_factor = false;
};
/// x [N,C,spatial...] with one to three spatial axes -> [N,C,new...] (as PyTorch's F.interpolate); all spatial sizes
/// are numbers. Throws Error, naming the shape and the user's line, when x has another form, the mode is for another
/// number of axes, not exactly one of size and scale_factor is given, or a size would not be at least 1.
Tensor interpolate(const Tensor& x, const InterpolateOptions& options,
                   SourceLocation where = SourceLocation::current());

}  // namespace pullback
