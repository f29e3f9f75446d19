// Optimizers: each writes its update in the DSL itself; the step compiles it together with the gradient.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

// Options are named as PyTorch's, with beta1, beta2 for betas and epsilon for eps. `weight_decay` adds weight_decay * p
// to the gradient unless said otherwise; `maximize` goes up the gradient instead of down. p is a parameter, g its
// gradient, t the number of the step from 1. An option out of its range throws Error when the struct becomes an
// Optimizer.

/// p -= lr * v with v = momentum * v + (1 - dampening) * g, where the first v is g (Sutskever et al. 2013, in PyTorch's
/// form). With nesterov the direction is g + momentum * v.
struct SGD {
  double lr = 1e-2;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
};
/// Kingma and Ba 2015, with bias correction; amsgrad divides by the largest mean square so far (Reddi et al. 2018).
struct Adam {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;
};
/// Adam whose weight decay acts on the parameter, p -= lr * weight_decay * p (Loshchilov and Hutter 2019).
struct AdamW {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
};
/// Divides g by the root of its mean square, v = alpha * v + (1 - alpha) * g^2 (Tieleman and Hinton 2012); centered
/// subtracts the squared mean first (Graves 2013).
struct RMSprop {
  double lr = 1e-2;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
};
/// Divides g by the root of the sum of all squares so far (Duchi et al. 2011), at the rate lr / (1 + (t-1) * lr_decay).
struct Adagrad {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double epsilon = 1e-10;
  bool maximize = false;
};
/// Zeiler 2012: scales g by the root mean square of earlier changes over that of gradients.
struct Adadelta {
  double lr = 1;
  double rho = 0.9;
  double epsilon = 1e-6;
  double weight_decay = 0;
  bool maximize = false;
};
/// Adam with the infinity norm, u = max(beta2 * u, |g| + epsilon) (Kingma and Ba 2015, section 7).
struct Adamax {
  double lr = 2e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
};
/// Adam with Nesterov momentum, beta1 growing as beta1 * (1 - 0.96^(t * momentum_decay) / 2) (Dozat 2016).
struct NAdam {
  double lr = 2e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool maximize = false;
};
/// Adam that rectifies the variance of its first steps (Liu et al. 2020).
struct RAdam {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
};
/// p -= lr * sign(beta1 * m + (1 - beta1) * g), then m = beta2 * m + (1 - beta2) * g; weight decay acts on the
/// parameter (Chen et al. 2023).
struct Lion {
  double lr = 1e-4;
  double beta1 = 0.9, beta2 = 0.99;
  double weight_decay = 0;
  bool maximize = false;
};
/// Adam's direction plus weight_decay * p, scaled for each parameter to the parameter's own norm (You et al. 2020).
struct LAMB {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 1e-2;
  bool maximize = false;
};
/// Limited-memory BFGS over all parameters as one vector (Nocedal and Wright, Numerical Optimization, algorithm 7.4).
/// Each training step evaluates loss and gradient once, at one point. Give all steps the same batch: the method
/// compares losses and gradients of different steps.
///
/// LineSearch::none moves by lr along each direction (the first by lr * min(1, 1/|g|_1)), as PyTorch's LBFGS does
/// without line_search_fn: its step(closure) is max_iter of these steps. LineSearch::backtracking tries that length
/// first; while the loss is not below f + 1e-4 * length * slope (Armijo), further steps try shorter ones, by quadratic
/// interpolation within [0.1, 0.5] of the last. A step then may undo what the one before it tried.
struct LBFGS {
  enum class LineSearch : std::uint8_t { none, backtracking };
  double lr = 1;
  std::int64_t history_size = 10;
  LineSearch line_search = LineSearch::none;
};

/// The update of a step, as the rule of an optimizer sees it while it writes it.
class Update {
 public:
  struct Parameter {
    std::string name;
    Tensor value, gradient;              ///< of the parameter's dtype; the gradient is averaged and clipped already
    Tensor learning_rate;                ///< f64 scalar: scheduled, and scaled by the parameter's group
    std::optional<double> weight_decay;  ///< its group's; nothing: the optimizer's own
  };
  virtual ~Update() = default;

  virtual const std::vector<Parameter>& parameters() const = 0;
  /// The loss at the parameters' values: a scalar.
  virtual Tensor loss() const = 0;
  /// The number of this step, from 1, as an f64 scalar.
  virtual Tensor step() const = 0;
  /// Whether a schedule moves the momentum (beta1).
  virtual bool momentum_scheduled() const = 0;
  /// Momentum or beta1 as an f64 scalar: the scheduled one, else `own`.
  virtual Tensor momentum(double own) const = 0;

  /// A tensor that is kept from step to step, in the state as "OPTIMIZER.NAME"; every element is `initial` at first.
  virtual Tensor slot(const std::string& name, DType dtype, const Shape& shape, double initial = 0) = 0;
  /// A slot like the parameter, kept as "OPTIMIZER.NAME.PARAMETER".
  Tensor slot(const std::string& name, const Parameter& parameter, double initial = 0);
  /// What a parameter's value or a slot is after the step. Throws Error when the types differ.
  virtual void set(const Tensor& value_or_slot, const Tensor& next) = 0;
};

/// What a rule for one parameter reads, all of the parameter's dtype; `step` counts from 1.
struct UpdateInputs {
  Tensor parameter, gradient, learning_rate, step;
  std::vector<Tensor> slots;  ///< of the parameter's shape, zero at first
};
struct UpdateOutputs {
  Tensor parameter;
  std::vector<Tensor> slots;
};

/// Any optimizer. The learning rate is a scalar of the state, so that changing it never compiles again.
struct Optimizer {
  Optimizer() = default;
  // NOLINTBEGIN(google-explicit-constructor): .optimizer = Adam{}
  Optimizer(const SGD& sgd, SourceLocation where = SourceLocation::current());
  Optimizer(const Adam& adam, SourceLocation where = SourceLocation::current());
  Optimizer(const AdamW& adamw, SourceLocation where = SourceLocation::current());
  Optimizer(const RMSprop& rmsprop, SourceLocation where = SourceLocation::current());
  Optimizer(const Adagrad& adagrad, SourceLocation where = SourceLocation::current());
  Optimizer(const Adadelta& adadelta, SourceLocation where = SourceLocation::current());
  Optimizer(const Adamax& adamax, SourceLocation where = SourceLocation::current());
  Optimizer(const NAdam& nadam, SourceLocation where = SourceLocation::current());
  Optimizer(const RAdam& radam, SourceLocation where = SourceLocation::current());
  Optimizer(const Lion& lion, SourceLocation where = SourceLocation::current());
  Optimizer(const LAMB& lamb, SourceLocation where = SourceLocation::current());
  Optimizer(const LBFGS& lbfgs, SourceLocation where = SourceLocation::current());
  // NOLINTEND(google-explicit-constructor)

  std::string name;  ///< "adam"
  double learning_rate = 1e-3;
  bool has_momentum = false;  ///< whether the rule asks for Update::momentum(), so that a schedule may move it

  // One of the two:
  std::function<void(Update&)> rule;                         ///< for all parameters together
  std::function<UpdateOutputs(const UpdateInputs&)> update;  ///< for each parameter by itself
  std::vector<std::string> slot_names;                       ///< of `update`: kept as "adam.m.PARAMETER"
};

}  // namespace pullback
