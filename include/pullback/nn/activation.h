// Activation functions as layers; see activations.h for the formulas. They have no parameters.
#pragma once

#include <pullback/activations.h>
#include <pullback/nn/containers.h>

namespace pullback::nn {

struct ReLU : Lambda {
  ReLU();
};
struct GELU : Lambda {
  GELU();
};
struct Sigmoid : Lambda {
  Sigmoid();
};
struct SiLU : Lambda {
  SiLU();
};
struct Tanh : Lambda {
  Tanh();
};
struct Softmax : Lambda {
  explicit Softmax(int dim = -1);
};

}  // namespace pullback::nn
