#include "compiler/ops/order.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/ops/along_axis.h"

namespace pullback::ops {

namespace {

// NaN counts as the largest.
template <class T>
bool before(T x, T y) {
  return x < y || (x == x && y != y);
}

}  // namespace

void eval_order(EvalContext& c, bool descending) {
  const ir::Literal& x = c.operand(0);
  const auto in_order = [&](std::int64_t i, std::int64_t j) {
    if (descending) std::swap(i, j);
    return is_float(x.dtype) ? before(x.as_double(i), x.as_double(j)) : before(x.as_integer(i), x.as_integer(j));
  };
  const std::int64_t axis = c.attributes().integer("axis");
  std::vector<std::vector<std::int64_t>> sorted, positions;
  for_each_line(x.dims, axis, [&](const std::vector<std::int64_t>& line) {
    std::vector<std::int64_t> order(line.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
      return in_order(line[static_cast<std::size_t>(i)], line[static_cast<std::size_t>(j)]);
    });
    sorted.push_back(line);
    for (std::size_t n = 0; n < line.size(); ++n) sorted.back()[n] = line[static_cast<std::size_t>(order[n])];
    positions.push_back(std::move(order));
  });
  std::size_t number = 0;
  for_each_line(c.result(0).dims, axis, [&](const std::vector<std::int64_t>& line) {
    for (std::size_t n = 0; n < line.size(); ++n) {
      copy_element(c.result(0), line[n], x, sorted[number][n]);
      c.result(1).set_integer(line[n], positions[number][n]);
    }
    ++number;
  });
}

void order_vjp(GradContext& c) {
  c.add_grad(0,
             scatter_add_along(full_like(c.operand(0), 0), c.result(1), c.out_grad(0), c.attributes().integer("axis")));
}

}  // namespace pullback::ops
