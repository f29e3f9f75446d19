#include "compiler/ops/flop.h"

#include <cstdint>
#include <vector>

#include "compiler/ops/contraction.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/scan.h"

namespace pullback::ops {

namespace {

using Map = ContractionSpec::Map;
using Coordinate = ContractionSpec::Coordinate;

/// The share of a coordinate's values that are elements of its axis. Every loop dimension moves one bounded coordinate
/// only, so that shares multiply.
double share_inside(const ContractionSpec& spec, const Coordinate& coordinate, std::int64_t size) {
  std::vector<std::int64_t> values{coordinate.offset};
  for (const Coordinate::Term& term : coordinate.terms) {
    std::vector<std::int64_t> next;
    const std::int64_t steps = spec.dimensions[term.dimension].size;
    next.reserve(values.size() * static_cast<std::size_t>(steps));
    for (const std::int64_t value : values)
      for (std::int64_t i = 0; i < steps; ++i) next.push_back(value + i * term.coefficient);
    values = std::move(next);
  }
  if (values.empty()) return 0;
  std::size_t inside = 0;
  for (const std::int64_t value : values)
    inside += value >= 0 && value % coordinate.spread == 0 && value / coordinate.spread < size ? 1 : 0;
  return static_cast<double>(inside) / static_cast<double>(values.size());
}

}  // namespace

FlopCount count_flop(const ContractionSpec& spec) {
  FlopCount count{2, 0};
  for (const ContractionSpec::Dimension& d : spec.dimensions) count.nominal *= static_cast<double>(d.size);
  count.in_bounds = count.nominal;
  for (const Map* map : {&spec.a, &spec.b})
    for (std::size_t axis = 0; map->bounded && axis < map->coordinates.size(); ++axis)
      if (map->coordinates[axis].terms.size() > 1 || map->coordinates[axis].spread > 1)
        count.in_bounds *= share_inside(spec, map->coordinates[axis], map->sizes[axis]);
  return count;
}

FlopCount flop_of(const ir::Region& region) {
  FlopCount total;
  const auto add = [&](const FlopCount& more, double times) {
    total.nominal += times * more.nominal;
    total.in_bounds += times * more.in_bounds;
  };
  for (const auto& op : region.ops) {
    if (op->def->contraction && is_float(op->operand(0)->type.dtype)) add(count_flop(op->def->contraction(*op)), 1);
    if (op->def->flop) add(op->def->flop(*op), 1);
    if (op->regions.empty()) continue;
    const double trips = op->def->name == "scan" ? static_cast<double>(ScanLayout(*op).length.constant()) : 1;
    FlopCount most;
    for (const auto& inner : op->regions) {
      const FlopCount count = flop_of(*inner);
      if (count.nominal > most.nominal) most = count;
    }
    add(most, trips);
  }
  return total;
}

}  // namespace pullback::ops
