#include "compiler/ops/along_axis.h"

#include <numeric>

namespace pullback::ops {

std::int64_t product(const std::vector<std::int64_t>& dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

namespace {

// Swaps `axis` with the last one; its own inverse.
Value with_last(Value x, std::int64_t axis) {
  ir::Integers order = all_axes(x.rank());
  if (axis == order.back()) return x;
  std::swap(order[static_cast<std::size_t>(axis)], order.back());
  return transpose(x, order);
}

}  // namespace

AxisSplit::AxisSplit(const std::vector<std::int64_t>& dims, std::int64_t axis)
    : lead(dims.begin(), dims.begin() + axis),
      tail(dims.begin() + axis + 1, dims.end()),
      size(dims[static_cast<std::size_t>(axis)]) {}

std::int64_t AxisSplit::lead_count() const {
  return product(lead);
}

std::int64_t AxisSplit::tail_count() const {
  return product(tail);
}

Indices AxisSplit::at(const kernel::Index& row, const kernel::Index& along) const {
  Indices result = kernel::unflatten(kernel::floordiv(row, tail_count()), lead);
  result.push_back(along);
  const Indices rest = kernel::unflatten(kernel::mod(row, tail_count()), tail);
  result.insert(result.end(), rest.begin(), rest.end());
  return result;
}

void for_each_line(const std::vector<std::int64_t>& dims, std::int64_t axis,
                   const std::function<void(const std::vector<std::int64_t>& positions)>& visit) {
  const AxisSplit split(dims, axis);
  const std::int64_t tail = split.tail_count();
  std::vector<std::int64_t> positions(static_cast<std::size_t>(split.size));
  for (std::int64_t lead = 0; lead < split.lead_count(); ++lead) {
    for (std::int64_t t = 0; t < tail; ++t) {
      for (std::int64_t i = 0; i < split.size; ++i)
        positions[static_cast<std::size_t>(i)] = (lead * split.size + i) * tail + t;
      visit(positions);
    }
  }
}

Value gather_along(Value x, Value indices, std::int64_t axis) {
  const auto last = static_cast<std::int64_t>(x.rank()) - 1;
  return with_last(gather(with_last(x, axis), with_last(indices, axis), last, last), axis);
}

Value scatter_add_along(Value x, Value indices, Value updates, std::int64_t axis) {
  const auto last = static_cast<std::int64_t>(x.rank()) - 1;
  return with_last(scatter_add(with_last(x, axis), with_last(indices, axis), with_last(updates, axis), last, last),
                   axis);
}

Value shifted(Value x, std::int64_t axis, int by) {
  Shape low(x.rank(), 0), high(x.rank(), 0);
  low[static_cast<std::size_t>(axis)] = by;
  high[static_cast<std::size_t>(axis)] = -by;
  return pad(x, scalar(*x.builder, x.dtype(), 0), low, high);
}

}  // namespace pullback::ops
