// Networks, optimizers and schedules of training trajectories, by PyTorch's names.
#pragma once

#include <string>
#include <vector>

#include "tests/golden/manifest.h"

namespace pullback::golden {

/// A tensor of the network that PyTorch has under another name, and perhaps transposed.
struct Binding {
  std::string torch;  ///< "fc.0.weight"
  std::string name;   ///< in the state
  bool transposed = false;
};

struct Network {
  Tensor output;
  std::vector<Binding> tensors;  ///< parameters and running statistics
};

/// Builds the model of the manifest's model_source out of the library's layers and applies it to x. Throws Error for an
/// unknown model or arguments that don't fit.
Network build_network(const std::string& model, const List& arguments, const Tensor& x, const Context& context);

/// torch.optim.NAME(**attributes). Throws Error when the library has none of the name, or an argument is not known.
Optimizer build_optimizer(const std::string& name, const Attributes& attributes, const Context& context);

/// torch.optim.lr_scheduler.NAME(optimizer, **attributes); "" is a constant rate.
Schedule build_schedule(const std::string& name, const Attributes& attributes, const Context& context);

}  // namespace pullback::golden
