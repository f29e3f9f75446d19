// Tensors that are there without inputs.
#include <cmath>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/graph.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

namespace {

// Positions are computed in double, which tells that many apart.
constexpr double kMostSteps = 0x1p53;

}  // namespace

Tensor full(Graph& graph, const Shape& shape, double value, DType dtype, SourceLocation where) {
  return graph.constant(value, shape, dtype, where);
}

Tensor zeros(Graph& graph, const Shape& shape, DType dtype, SourceLocation where) {
  return graph.constant(0, shape, dtype, where);
}

Tensor ones(Graph& graph, const Shape& shape, DType dtype, SourceLocation where) {
  return graph.constant(1, shape, dtype, where);
}

Tensor full_like(const Tensor& x, double value, SourceLocation where) {
  detail::require_defined("full_like", x, where);
  return detail::fill(*x.trace(), x.dtype(), x.shape(), value, x.trace()->line(where));
}

Tensor zeros_like(const Tensor& x, SourceLocation where) {
  return full_like(x, 0, where);
}

Tensor ones_like(const Tensor& x, SourceLocation where) {
  return full_like(x, 1, where);
}

Tensor arange(Graph& graph, const Dim& size, DType dtype, SourceLocation where) {
  return graph.iota({size}, 0, dtype, where);
}

Tensor arange(Graph& graph, double start, double end, double step, DType dtype, SourceLocation where) {
  detail::Pin pin(graph.trace().get(), where);
  const double size = std::ceil((end - start) / step);
  if (!(size >= 0) || std::isinf(size))
    detail::fail("arange", fmt::format("from {} to {} there is no way in steps of {}", start, end, step),
                 graph.trace()->line(where));
  if (size > kMostSteps)
    detail::fail("arange", fmt::format("from {} to {} there are {} steps of {}, too many", start, end, size, step),
                 graph.trace()->line(where));
  // In double, and rounded once.
  return cast(graph.iota({static_cast<std::int64_t>(size)}, 0, f64) * step + start, dtype);
}

Tensor linspace(Graph& graph, double start, double end, std::int64_t steps, DType dtype, SourceLocation where) {
  detail::Pin pin(graph.trace().get(), where);
  if (steps < 0) detail::fail("linspace", fmt::format("{} steps are asked for", steps), graph.trace()->line(where));
  if (static_cast<double>(steps) > kMostSteps)
    detail::fail("linspace", fmt::format("{} steps are too many", steps), graph.trace()->line(where));
  detail::require_number("linspace", "start", start, graph.trace()->line(where));
  detail::require_number("linspace", "end", end, graph.trace()->line(where));
  const Tensor i = graph.iota({steps}, 0, f64);
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  // From both ends to the middle, so that both are exact.
  const Tensor from_end = end - (static_cast<double>(steps - 1) - i) * step;
  return cast(pullback::where(i < static_cast<double>((steps + 1) / 2), start + i * step, from_end), dtype);
}

Tensor eye(Graph& graph, const Dim& rows, DType dtype, SourceLocation where) {
  return eye(graph, rows, rows, dtype, where);
}

Tensor eye(Graph& graph, const Dim& rows, const Dim& columns, DType dtype, SourceLocation where) {
  detail::Pin pin(graph.trace().get(), where);
  const Shape shape{rows, columns};
  return cast(equal(graph.iota(shape, 0), graph.iota(shape, 1)), dtype);
}

}  // namespace pullback
