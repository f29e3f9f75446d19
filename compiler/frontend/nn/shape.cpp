// Layers that change shapes only.
#include <pullback/nn/shape.h>

#include <fmt/format.h>

#include <pullback/shapes.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

Identity::Identity() : Lambda([](const Tensor& x) { return x; }, "Identity") {}

static Tensor flatten_between(const Tensor& x, int start_dim, int end_dim) {
  const SourceLine line = line_of(x);
  const int first = detail::normalize_axis("Flatten", x, start_dim, line);
  const int last = detail::normalize_axis("Flatten", x, end_dim, line);
  if (first > last)
    detail::fail("Flatten",
                 fmt::format("axes {} to {} of {}: the end lies before the start", start_dim, end_dim, x.type_string()),
                 line);
  Dim joined = 1;
  Shape shape;
  for (int i = 0; i < static_cast<int>(x.rank()); ++i) {
    if (i < first || i > last)
      shape.push_back(x.size(i));
    else
      joined = joined * x.size(i);
    if (i == last) shape.push_back(joined);
  }
  return reshape(x, shape);
}

Flatten::Flatten(int start_dim, int end_dim)
    : Lambda([=](const Tensor& x) { return flatten_between(x, start_dim, end_dim); }, "Flatten") {}

static Tensor unflatten(const Tensor& x, int dim, const Shape& sizes) {
  const int axis = detail::normalize_axis("Unflatten", x, dim, line_of(x));
  Dim product = 1;
  std::ptrdiff_t open = -1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == Dim(-1) && open < 0)
      open = static_cast<std::ptrdiff_t>(i);
    else
      product = product * sizes[i];
  }
  Shape parts = sizes;
  const std::optional<Dim> rest = x.size(axis).divided_by(product);
  if (open >= 0 && rest) parts[static_cast<std::size_t>(open)] = *rest;
  if (!rest || (open < 0 && *rest != Dim(1)))
    detail::fail("Unflatten",
                 fmt::format("axis {} of {} cannot be split into {}", dim, x.type_string(), to_string(sizes)),
                 line_of(x));
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, parts.begin(), parts.end());
  return reshape(x, shape);
}

Unflatten::Unflatten(int dim, Shape sizes)
    : Lambda([dim, sizes](const Tensor& x) { return unflatten(x, dim, sizes); }, "Unflatten",
             fmt::format("Unflatten({}, {})", dim, to_string(sizes))) {}

}  // namespace pullback::nn
