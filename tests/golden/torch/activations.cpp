// Activation functions.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

FunctionTable activation_functions() {
  return {
      {"relu", "input, inplace=False", [](const Arguments& a) { return relu(a.tensor("input")); }},
      {"sigmoid", "input", [](const Arguments& a) { return sigmoid(a.tensor("input")); }},
      {"tanh", "input", [](const Arguments& a) { return tanh(a.tensor("input")); }},
      {"silu", "input, inplace=False", [](const Arguments& a) { return silu(a.tensor("input")); }},
      {"softmax", "input, dim", [](const Arguments& a) { return softmax(a.tensor("input"), a.axis("dim")); }},
      {"log_softmax", "input, dim", [](const Arguments& a) { return log_softmax(a.tensor("input"), a.axis("dim")); }},
  };
}

}  // namespace pullback::golden
