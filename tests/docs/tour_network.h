// The network of docs/tour.md, which quotes the lines between the marks.
#pragma once

#include <pullback/pullback.h>

namespace pullback::docs {

inline Trainer tour_trainer() {
  namespace pb = pullback;
  const CompileOptions pinned{.target = "x86-64-v3", .threads = 1};
  // [tour]
  pb::Graph g("tour");
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), 2});
  pb::Tensor y = g.input("y", pb::f32, {pb::dim("batch"), 1});
  pb::Tensor hidden = pb::tanh(pb::nn::linear(x, 3, "hidden")).named("h");
  pb::Tensor output = pb::nn::linear(hidden, 1, "out", {.bias = false});
  pb::Tensor loss = pb::mse(output, y);
  pb::Trainer trainer(g, {.loss = loss, .optimizer = pb::SGD{.lr = 0.1}, .compile = pinned});
  // [tour]
  return trainer;
}

}  // namespace pullback::docs
