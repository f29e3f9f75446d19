// Optimizers: each writes the update of a parameter in the DSL itself; the step compiles it with the gradient.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// p -= lr * v with v = momentum * v + (g + weight_decay * p) (Sutskever et al. 2013, in PyTorch's form).
struct SGD {
  double lr = 1e-2;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};
/// Kingma and Ba 2015, with bias correction; weight_decay adds to the gradient.
struct Adam {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};
/// Adam whose weight decay acts on the parameter, p -= lr * weight_decay * p (Loshchilov and Hutter 2019).
struct AdamW {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
};

/// What an update rule reads, all of the parameter's dtype; `step` counts from 1.
struct UpdateInputs {
  Tensor parameter, gradient, learning_rate, step;
  std::vector<Tensor> slots;  ///< of the parameter's shape, zero at first
};
struct UpdateOutputs {
  Tensor parameter;
  std::vector<Tensor> slots;
};

/// Any optimizer: a rule, applied to each parameter. The learning rate is a scalar of the state, so that changing it
/// never compiles again.
struct Optimizer {
  Optimizer() = default;
  Optimizer(const SGD& sgd);      // NOLINT: .optimizer = Adam{}
  Optimizer(const Adam& adam);    // NOLINT
  Optimizer(const AdamW& adamw);  // NOLINT

  std::string name;  ///< "adam"
  double learning_rate = 1e-3;
  std::vector<std::string> slot_names;  ///< "m", "v": kept in the state as "adam.m.PARAMETER"
  std::function<UpdateOutputs(const UpdateInputs&)> update;
};

}  // namespace pullback
