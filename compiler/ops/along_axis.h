// What ops along one axis share (scans, sorts): the other axes are walked, and along it elements are picked or shifted.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/ops/define.h"

namespace pullback::ops {

/// Of all sizes; 1 of none.
std::int64_t product(const std::vector<std::int64_t>& dims);

/// A shape cut at an axis: lead x size x tail.
struct AxisSplit {
  std::vector<std::int64_t> lead, tail;
  std::int64_t size = 0;

  AxisSplit(const std::vector<std::int64_t>& dims, std::int64_t axis);
  std::int64_t lead_count() const;
  std::int64_t tail_count() const;
  /// The index of an element: position `row` in lead x tail, place `along` on the axis.
  Indices at(const kernel::Index& row, const kernel::Index& along) const;
};

/// For evaluation: visits each line along `axis` with the positions of its elements in the tensor of shape `dims`.
void for_each_line(const std::vector<std::int64_t>& dims, std::int64_t axis,
                   const std::function<void(const std::vector<std::int64_t>& positions)>& visit);

/// result[.., i, ..] = x[.., indices[.., i, ..], ..] along `axis`; the other sizes agree.
Value gather_along(Value x, Value indices, std::int64_t axis);
/// x with updates added where gather_along picks.
Value scatter_add_along(Value x, Value indices, Value updates, std::int64_t axis);
/// result[i] = x[i - by] along `axis`, 0 where there is no such element; by is 1 or -1.
Value shifted(Value x, std::int64_t axis, int by);

}  // namespace pullback::ops
