// Layers that change shapes only, or nothing. They have no parameters. A layer throws Error, naming the shapes and the
// user's line, when it is called with an x that has no such axes.
#pragma once

#include <pullback/nn/containers.h>

namespace pullback::nn {

/// x.
struct Identity : Lambda {
  Identity();
};
/// Joins the axes from `start_dim` to `end_dim`: [B,C,H,W] -> [B,C*H*W].
struct Flatten : Lambda {
  explicit Flatten(int start_dim = 1, int end_dim = -1);
};
/// Splits the axis `dim` into `sizes`, of which one may be -1: the inverse of Flatten. The sizes' product must be the
/// axis's size.
struct Unflatten : Lambda {
  Unflatten(int dim, Shape sizes);
};

}  // namespace pullback::nn
