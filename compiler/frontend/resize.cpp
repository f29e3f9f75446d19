// interpolate: along one axis after the other, each element is a sum of a few old ones with constant weights.
#include <pullback/resize.h>

#include <cmath>

#include <fmt/format.h>

#include <pullback/operators.h>
#include <pullback/pooling.h>
#include <pullback/shapes.h>

#include "compiler/frontend/spatial.h"

namespace pullback {

namespace {

using detail::Spatial;

// One axis: its sizes, and the step in the old axis that one in the new takes.
struct ResizedAxis {
  std::int64_t from = 0, to = 0;
  double step = 1;
};

// For each element of the new axis, where its old ones are and how much they count.
struct Taps {
  std::vector<std::vector<std::int64_t>> positions;  ///< [tap][element]
  std::vector<std::vector<double>> weights;
};

std::size_t needed_axes(Interpolation mode) {
  switch (mode) {
    case Interpolation::linear:
      return 1;
    case Interpolation::bilinear:
    case Interpolation::bicubic:
      return 2;
    case Interpolation::trilinear:
      return 3;
    default:
      return 0;  // any
  }
}

bool is_smooth(Interpolation mode) {
  return needed_axes(mode) != 0;
}

std::vector<ResizedAxis> resized_axes(const Spatial& s, const InterpolateOptions& options) {
  if (options.size.empty() == options.scale_factor.empty()) s.fail("either size or scale_factor must be given");
  std::vector<ResizedAxis> axes(s.axes());
  if (options.scale_factor.empty()) {
    const std::vector<std::int64_t> sizes = s.values("size", options.size, 1);
    for (std::size_t d = 0; d < axes.size(); ++d) axes[d] = {s.known_size(d), sizes[d], 0};
  } else {
    std::vector<double> factors = options.scale_factor;
    if (factors.size() == 1) factors.assign(axes.size(), factors.front());
    if (factors.size() != axes.size())
      s.fail(fmt::format("{} scale factors are given for {} spatial axes", factors.size(), axes.size()));
    for (std::size_t d = 0; d < axes.size(); ++d) {
      const double size = std::floor(static_cast<double>(s.known_size(d)) * factors[d]);
      if (!(factors[d] > 0) || !(size < 0x1p62))
        s.fail(fmt::format("the scale factor {} makes no size of {} elements", factors[d], s.known_size(d)));
      if (!(size >= 1))
        s.fail(fmt::format("the scale factor {} leaves nothing of {} elements", factors[d], s.known_size(d)));
      if (size > 0x1p53)
        s.fail(fmt::format("the scale factor {} makes {} elements of {}", factors[d], size, s.known_size(d)));
      axes[d] = {s.known_size(d), static_cast<std::int64_t>(size), options.recompute_scale_factor ? 0 : 1 / factors[d]};
    }
  }
  for (ResizedAxis& axis : axes) {
    constexpr std::int64_t most = std::int64_t{1} << 24;  // positions are computed in f32
    if (axis.to > most) s.fail(fmt::format("a spatial axis would have {} elements: {} are possible", axis.to, most));
    if (axis.from < 1) s.fail(fmt::format("x {} has an empty spatial axis", s.x().type_string()));
    const bool corners = options.align_corners && is_smooth(options.mode);
    if (corners)
      axis.step = axis.to > 1 ? static_cast<double>(axis.from - 1) / static_cast<double>(axis.to - 1) : 0;
    else if (axis.step == 0)
      axis.step = static_cast<double>(axis.from) / static_cast<double>(axis.to);
  }
  return axes;
}

// PyTorch computes these positions in x's precision, and floors them in f32: where they are whole, that decides.
template <class T>
std::int64_t nearest_position(const ResizedAxis& axis, std::int64_t i, bool exact) {
  const T position = (static_cast<T>(i) + static_cast<T>(exact ? 0.5 : 0)) * static_cast<T>(axis.step);
  return std::min(static_cast<std::int64_t>(std::floor(static_cast<float>(position))), axis.from - 1);
}

std::vector<std::int64_t> nearest_positions(const ResizedAxis& axis, DType dtype, bool exact) {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < axis.to; ++i)
    positions.push_back(dtype == DType::f64 ? nearest_position<double>(axis, i, exact)
                                            : nearest_position<float>(axis, i, exact));
  return positions;
}

double source_position(const ResizedAxis& axis, std::int64_t i, bool align_corners) {
  const double at = static_cast<double>(i);
  return align_corners ? at * axis.step : (at + 0.5) * axis.step - 0.5;
}

Taps linear_taps(const ResizedAxis& axis, bool align_corners) {
  Taps taps{std::vector<std::vector<std::int64_t>>(2), std::vector<std::vector<double>>(2)};
  for (std::int64_t i = 0; i < axis.to; ++i) {
    const double at = std::max(source_position(axis, i, align_corners), 0.0);
    const std::int64_t first = std::min(static_cast<std::int64_t>(at), axis.from - 1);
    const double rest = at - static_cast<double>(first);
    taps.positions[0].push_back(first);
    taps.positions[1].push_back(std::min(first + 1, axis.from - 1));
    taps.weights[0].push_back(1 - rest);
    taps.weights[1].push_back(rest);
  }
  return taps;
}

// Keys 1981 with a = -0.75: the weight of an element at a distance.
double cubic_weight(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

Taps cubic_taps(const ResizedAxis& axis, bool align_corners) {
  Taps taps{std::vector<std::vector<std::int64_t>>(4), std::vector<std::vector<double>>(4)};
  for (std::int64_t i = 0; i < axis.to; ++i) {
    const double at = source_position(axis, i, align_corners), floor = std::floor(at);
    for (std::size_t t = 0; t < 4; ++t) {
      const std::int64_t position = static_cast<std::int64_t>(floor) + static_cast<std::int64_t>(t) - 1;
      taps.positions[t].push_back(std::clamp<std::int64_t>(position, 0, axis.from - 1));
      taps.weights[t].push_back(cubic_weight(at - floor - static_cast<double>(t) + 1));
    }
  }
  return taps;
}

Tensor resized_along(const Spatial& s, const Tensor& x, std::size_t d, const Taps& taps) {
  const int axis = static_cast<int>(d) + 2;
  Shape shape(x.rank(), Dim(1));
  shape[d + 2] = static_cast<std::int64_t>(taps.positions[0].size());
  Tensor sum;
  for (std::size_t t = 0; t < taps.positions.size(); ++t) {
    const Tensor weights = reshape(detail::vector_of(*x.trace(), x.dtype(), taps.weights[t], s.line()), shape);
    const Tensor part = detail::at_positions(x, axis, taps.positions[t], s.line()) * weights;
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

// Each element `factor` times: the gradient is a sum of neighbours, which needs no index.
Tensor repeated_along(const Tensor& x, std::size_t d, std::int64_t factor) {
  Shape split = x.shape(), merged = x.shape();
  const auto at = split.begin() + static_cast<std::ptrdiff_t>(d) + 3;
  Shape wide = split;
  split.insert(at, Dim(1));
  wide.insert(wide.begin() + static_cast<std::ptrdiff_t>(d) + 3, Dim(factor));
  merged[d + 2] = merged[d + 2] * factor;
  return reshape(expand(reshape(x, split), wide), merged);
}

Tensor interpolate_area(const Spatial& s, const std::vector<ResizedAxis>& axes, const SourceLocation& where) {
  std::vector<std::optional<std::int64_t>> sizes;
  for (const ResizedAxis& axis : axes) sizes.emplace_back(axis.to);
  if (s.axes() == 1) return adaptive_avg_pool1d(s.x(), sizes, where);
  return s.axes() == 2 ? adaptive_avg_pool2d(s.x(), sizes, where) : adaptive_avg_pool3d(s.x(), sizes, where);
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& options, SourceLocation where) {
  detail::require_defined("interpolate", x, where);
  if (x.rank() < 3 || x.rank() > 5)
    detail::fail("interpolate", fmt::format("x is {}: [N,C] and one to three spatial axes are needed", x.type_string()),
                 x.trace()->line(where));
  const Spatial s("interpolate", x.rank() - 2, x, where);
  const std::size_t needed = needed_axes(options.mode);
  if (needed != 0 && needed != s.axes())
    s.fail(
        fmt::format("x is {}: the mode is for {} spatial {}", x.type_string(), needed, needed == 1 ? "axis" : "axes"));
  if (options.align_corners && !is_smooth(options.mode))
    s.fail("align_corners is for the modes linear, bilinear, trilinear and bicubic");
  const std::vector<ResizedAxis> axes = resized_axes(s, options);
  if (options.mode == Interpolation::area) return interpolate_area(s, axes, where);
  Tensor result = s.x();
  for (std::size_t d = 0; d < axes.size(); ++d) {
    const ResizedAxis& axis = axes[d];
    const bool whole = axis.to % axis.from == 0 && axis.step * static_cast<double>(axis.to / axis.from) == 1;
    if (is_smooth(options.mode))
      result = resized_along(s, result, d,
                             options.mode == Interpolation::bicubic ? cubic_taps(axis, options.align_corners)
                                                                    : linear_taps(axis, options.align_corners));
    else if (whole && options.mode == Interpolation::nearest)
      result = repeated_along(result, d, axis.to / axis.from);
    else
      result = detail::at_positions(result, static_cast<int>(d) + 2,
                                    nearest_positions(axis, x.dtype(), options.mode == Interpolation::nearest_exact),
                                    s.line());
  }
  return result;
}

}  // namespace pullback
