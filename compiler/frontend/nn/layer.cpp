#include "compiler/frontend/nn/layer.h"

#include <fmt/format.h>

namespace pullback::nn {

std::int64_t known_size(const std::string& label, const Tensor& x, int axis) {
  if (!x.size(axis).is_constant())
    detail::fail(label,
                 fmt::format("x is {}: the size of its axis {} must be a number, as parameters depend on it",
                             x.type_string(), axis),
                 line_of(x));
  return x.size(axis).constant();
}

void require_size(const std::string& label, const Tensor& x, int axis, std::int64_t size, const char* what) {
  if (x.size(axis) == Dim(size)) return;
  detail::fail(
      label,
      fmt::format("x is {}: axis {} is {}, but {} is {}", x.type_string(), axis, x.size(axis).to_string(), what, size),
      line_of(x));
}

void require_rank(const std::string& label, const Tensor& x, std::size_t low, std::size_t high, const char* layout) {
  if (x.rank() < low || x.rank() > high)
    detail::fail(label, fmt::format("x is {}: {} is needed", x.type_string(), layout), line_of(x));
}

void require_probability(const char* layer, const char* what, double value, const SourceLocation& where) {
  if (!(value >= 0 && value <= 1)) detail::fail(layer, fmt::format("{} is {}: it lies in [0, 1]", what, value), where);
}

void require_at_least(const char* layer, const char* what, std::int64_t value, std::int64_t low,
                      const SourceLocation& where) {
  if (value < low) detail::fail(layer, fmt::format("{} is {}: at least {} is needed", what, value, low), where);
}

}  // namespace pullback::nn
