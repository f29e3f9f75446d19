// Layers that change shapes only.
#include <pullback/nn/shape.h>

#include <fmt/format.h>

#include <pullback/shapes.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

Identity::Identity() : Lambda([](const Tensor& x) { return x; }, "Identity") {}

Flatten::Flatten(int start_dim, int end_dim)
    : Lambda([=](const Tensor& x) { return flatten(x, start_dim, end_dim); }, "Flatten") {}

Unflatten::Unflatten(int dim, Shape sizes)
    : Lambda([dim, sizes](const Tensor& x) { return unflatten(x, dim, sizes); }, "Unflatten",
             fmt::format("Unflatten({}, {})", dim, to_string(sizes))) {}

}  // namespace pullback::nn
