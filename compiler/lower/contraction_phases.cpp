#include "compiler/lower/contraction_phases.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace pullback::lower {
namespace {

using ops::ContractionSpec;
using Coordinate = ContractionSpec::Coordinate;
using Role = ContractionSpec::Role;

/// The loops over C and over taps that an axis of B is walked by.
struct AxisWalk {
  std::size_t window = 0, tap = 0;
  std::int64_t dilation = 1;  ///< of taps
};

std::optional<AxisWalk> walk_of(const ContractionSpec& spec, const Coordinate& coordinate) {
  if (coordinate.terms.size() != 2) return std::nullopt;
  const auto &window = coordinate.terms[0], &tap = coordinate.terms[1];
  if (spec.dimensions[window.dimension].role != Role::n || spec.dimensions[tap.dimension].role != Role::k) return {};
  if (window.coefficient != 1 || tap.coefficient < 1) return std::nullopt;
  return AxisWalk{window.dimension, tap.dimension, tap.coefficient};
}

/// Every `step`-th index of a dimension, from `first` on.
void thin_out(ContractionSpec::Map& map, std::size_t dimension, std::int64_t first, std::int64_t step) {
  for (Coordinate& coordinate : map.coordinates)
    for (auto& term : coordinate.terms)
      if (term.dimension == dimension) {
        coordinate.offset += first * term.coefficient;
        term.coefficient *= step;
      }
}

/// The elements t = u * spread + phase of C along one axis. Tap r meets an element where t + r * dilation + offset is a
/// multiple of the spread: one of `step` neighbouring taps does, or none of all.
ContractionSpec phase_of(const ContractionSpec& spec, std::size_t axis, const AxisWalk& walk, std::int64_t phase) {
  ContractionSpec part = spec;
  Coordinate& coordinate = part.b.coordinates[axis];
  const std::int64_t spread = coordinate.spread, step = spread / std::gcd(spread, walk.dilation);
  std::int64_t &size = part.dimensions[walk.window].size, &taps = part.dimensions[walk.tap].size;
  const auto at = [&](std::int64_t tap) { return phase + tap * walk.dilation + coordinate.offset; };
  std::int64_t first = 0;
  while (first < step && at(first) % spread != 0) ++first;
  size = (size - phase + spread - 1) / spread;
  taps = first < step ? std::max<std::int64_t>(0, (taps - first + step - 1) / step) : 0;
  coordinate.offset = taps > 0 ? at(first) / spread : 0;
  coordinate.terms[0].coefficient = 1;
  coordinate.terms[1].coefficient = step * walk.dilation / spread;
  coordinate.spread = 1;
  thin_out(part.a, walk.tap, taps > 0 ? first : 0, step);
  thin_out(part.c, walk.window, phase, spread);
  return part;
}

}  // namespace

bool has_spread_elements(const ContractionSpec& spec) {
  const auto& axes = spec.b.coordinates;
  return std::any_of(axes.begin(), axes.end(), [](const Coordinate& coordinate) { return coordinate.spread != 1; });
}

std::vector<ContractionSpec> phases_of(const ContractionSpec& spec) {
  std::vector<ContractionSpec> phases{spec};
  for (std::size_t axis = 0; axis < spec.b.coordinates.size(); ++axis) {
    const Coordinate& coordinate = spec.b.coordinates[axis];
    if (coordinate.spread == 1) continue;
    const std::optional<AxisWalk> walk = walk_of(spec, coordinate);
    if (!walk) return {};
    const std::int64_t count = std::min(coordinate.spread, spec.dimensions[walk->window].size);
    std::vector<ContractionSpec> parts;
    for (const ContractionSpec& whole : phases)
      for (std::int64_t phase = 0; phase < count; ++phase) parts.push_back(phase_of(whole, axis, *walk, phase));
    phases = std::move(parts);
  }
  const auto products = [](const ContractionSpec& part) { return part.extent(Role::n) * part.extent(Role::k); };
  std::stable_sort(phases.begin(), phases.end(),
                   [&](const ContractionSpec& x, const ContractionSpec& y) { return products(x) > products(y); });
  return phases;
}

}  // namespace pullback::lower
