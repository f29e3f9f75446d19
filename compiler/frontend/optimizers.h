// What the files of the optimizers share.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <pullback/optimizers.h>

#include "compiler/support/fields.h"

namespace pullback::detail {

/// A rule of Pullback's own, which is known by the options that it was made of: the same bytes, the same update. A user
/// who replaces Optimizer::rule replaces all of it.
struct KnownRule {
  std::string bytes;
  std::function<void(Update&)> write;
  void operator()(Update& update) const { write(update); }
};

/// Makes `write` the optimizer's rule, known by `kind` and all of its options.
template <class Options>
void set_rule(Optimizer& optimizer, const char* kind, const Options& options, std::function<void(Update&)> write) {
  std::string bytes = kind;
  for_each_field(options, [&](const auto& option) {
    static_assert(std::is_arithmetic_v<std::decay_t<decltype(option)>> ||
                  std::is_enum_v<std::decay_t<decltype(option)>>);
    bytes.append(reinterpret_cast<const char*>(&option), sizeof option);
  });
  optimizer.rule = KnownRule{std::move(bytes), std::move(write)};
}

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

/// A rule that treats each parameter by itself.
std::function<void(Update&)> for_each_parameter(std::function<void(Update&, const Update::Parameter&)> rule);

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
