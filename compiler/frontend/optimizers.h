// What the files of the optimizers share.
#pragma once

#include <pullback/optimizers.h>

namespace pullback::detail {

/// Checks the options of one optimizer; a wrong one throws Error with the optimizer's name, the option and its value.
class OptionCheck {
 public:
  OptionCheck(std::string optimizer, const SourceLocation& where) : optimizer_(std::move(optimizer)), where_(where) {}
  const OptionCheck& at_least_zero(const char* option, double value) const;
  /// In [0, 1).
  const OptionCheck& share(const char* option, double value) const;
  const OptionCheck& require(bool good, const std::string& problem) const;

 private:
  std::string optimizer_;
  SourceLocation where_;
};

/// An optimizer that treats each parameter by itself.
void apply_to_each(Optimizer& optimizer, std::function<void(Update&, const Update::Parameter&)> rule);

/// An f64 scalar in the dtype of `like`: scalars are computed in double and rounded once, as PyTorch does on the host.
Tensor scalar_for(const Tensor& like, const Tensor& scalar);

/// The gradient, negated for maximize, plus the weight decay.
Tensor decayed_gradient(const Update::Parameter& p, double weight_decay, bool maximize);
Tensor directed_gradient(const Update::Parameter& p, bool maximize);
/// The parameter after a weight decay that does not touch the gradient: p * (1 - lr * weight_decay).
Tensor decayed_value(const Update::Parameter& p, double weight_decay);

/// decay * average + (1 - decay) * x, with an f64 scalar or a number.
Tensor moving_average(const Tensor& average, const Tensor& x, const Tensor& decay);
Tensor moving_average(const Tensor& average, const Tensor& x, double decay);

}  // namespace pullback::detail
