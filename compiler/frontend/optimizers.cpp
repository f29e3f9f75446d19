// Update rules without bias correction, and what all optimizers share.
#include "compiler/frontend/optimizers.h"

#include <cmath>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

namespace pullback {

namespace detail {

const OptionCheck& OptionCheck::require(bool good, const std::string& problem) const {
  if (!good) throw Error(fmt::format("{}: {}", optimizer_, problem), where_);
  return *this;
}

const OptionCheck& OptionCheck::at_least_zero(const char* option, double value) const {
  return require(value >= 0 && std::isfinite(value),
                 fmt::format("{} is {}: it must be a finite number of at least 0", option, value));
}

const OptionCheck& OptionCheck::share(const char* option, double value) const {
  return require(value >= 0 && value < 1, fmt::format("{} is {}: it must lie in [0, 1)", option, value));
}

std::function<void(Update&)> for_each_parameter(std::function<void(Update&, const Update::Parameter&)> rule) {
  return [rule = std::move(rule)](Update& update) {
    for (const Update::Parameter& parameter : update.parameters()) rule(update, parameter);
  };
}

Tensor scalar_for(const Tensor& like, const Tensor& scalar) {
  return cast(scalar, like.dtype());
}

Tensor directed_gradient(const Update::Parameter& p, bool maximize) {
  return maximize ? -p.gradient : p.gradient;
}

Tensor decayed_gradient(const Update::Parameter& p, double weight_decay, bool maximize) {
  const Tensor g = directed_gradient(p, maximize);
  const double decay = p.weight_decay.value_or(weight_decay);
  return decay == 0 ? g : g + decay * p.value;
}

Tensor decayed_value(const Update::Parameter& p, double weight_decay) {
  const double decay = p.weight_decay.value_or(weight_decay);
  return decay == 0 ? p.value : p.value * scalar_for(p.value, 1.0 - decay * p.learning_rate);
}

Tensor moving_average(const Tensor& average, const Tensor& x, const Tensor& decay) {
  return scalar_for(x, decay) * average + scalar_for(x, 1.0 - decay) * x;
}

Tensor moving_average(const Tensor& average, const Tensor& x, double decay) {
  return decay * average + (1 - decay) * x;
}

}  // namespace detail

using namespace detail;

Tensor Update::slot(const std::string& name, const Parameter& parameter, double initial) {
  return slot(name + "." + parameter.name, parameter.value.dtype(), parameter.value.shape(), initial);
}

Optimizer::Optimizer(const SGD& sgd, SourceLocation where) : name("sgd"), learning_rate(sgd.lr), has_momentum(true) {
  OptionCheck("SGD", where)
      .at_least_zero("lr", sgd.lr)
      .at_least_zero("momentum", sgd.momentum)
      .at_least_zero("weight_decay", sgd.weight_decay)
      .require(std::isfinite(sgd.dampening), fmt::format("dampening is {}", sgd.dampening))
      .require(!sgd.nesterov || (sgd.momentum > 0 && sgd.dampening == 0),
               fmt::format("nesterov needs a momentum above 0 and no dampening; momentum is {}, dampening {}",
                           sgd.momentum, sgd.dampening));
  set_rule(*this, "SGD", sgd, for_each_parameter([sgd](Update& context, const Update::Parameter& p) {
    const Tensor g = decayed_gradient(p, sgd.weight_decay, sgd.maximize);
    const Tensor rate = scalar_for(g, p.learning_rate);
    if (sgd.momentum == 0 && !context.momentum_scheduled()) return context.set(p.value, p.value - rate * g);
    const Tensor momentum = scalar_for(g, context.momentum(sgd.momentum));
    const Tensor slot = context.slot("momentum", p);
    Tensor v = momentum * slot + g;
    if (sgd.dampening != 0)  // not for the first, which is g
      v = momentum * slot + scalar_for(g, 1.0 - sgd.dampening * cast(context.step() > 1, f64)) * g;
    context.set(slot, v);
    context.set(p.value, p.value - rate * (sgd.nesterov ? g + momentum * v : v));
  }));
}

Optimizer::Optimizer(const RMSprop& rms, SourceLocation where)
    : name("rmsprop"), learning_rate(rms.lr), has_momentum(true) {
  OptionCheck("RMSprop", where)
      .at_least_zero("lr", rms.lr)
      .share("alpha", rms.alpha)
      .at_least_zero("epsilon", rms.epsilon)
      .at_least_zero("weight_decay", rms.weight_decay)
      .at_least_zero("momentum", rms.momentum);
  set_rule(*this, "RMSprop", rms, for_each_parameter([rms](Update& context, const Update::Parameter& p) {
    const Tensor g = decayed_gradient(p, rms.weight_decay, rms.maximize);
    const Tensor rate = scalar_for(g, p.learning_rate);
    const Tensor square_slot = context.slot("square", p);
    const Tensor mean_square = moving_average(square_slot, g * g, rms.alpha);
    context.set(square_slot, mean_square);
    Tensor variance = mean_square;
    if (rms.centered) {
      const Tensor mean_slot = context.slot("mean", p);
      const Tensor mean = moving_average(mean_slot, g, rms.alpha);
      context.set(mean_slot, mean);
      variance = maximum(mean_square - mean * mean, 0.0);  // rounding may have made it negative
    }
    const Tensor scaled = g / (sqrt(variance) + rms.epsilon);
    if (rms.momentum == 0 && !context.momentum_scheduled()) return context.set(p.value, p.value - rate * scaled);
    const Tensor slot = context.slot("momentum", p);
    const Tensor v = scalar_for(g, context.momentum(rms.momentum)) * slot + scaled;
    context.set(slot, v);
    context.set(p.value, p.value - rate * v);
  }));
}

Optimizer::Optimizer(const Adagrad& ada, SourceLocation where) : name("adagrad"), learning_rate(ada.lr) {
  OptionCheck("Adagrad", where)
      .at_least_zero("lr", ada.lr)
      .at_least_zero("lr_decay", ada.lr_decay)
      .at_least_zero("weight_decay", ada.weight_decay)
      .at_least_zero("initial_accumulator_value", ada.initial_accumulator_value)
      .at_least_zero("epsilon", ada.epsilon);
  set_rule(*this, "Adagrad", ada, for_each_parameter([ada](Update& context, const Update::Parameter& p) {
    const Tensor g = decayed_gradient(p, ada.weight_decay, ada.maximize);
    const Tensor rate = p.learning_rate / (1.0 + (context.step() - 1.0) * ada.lr_decay);
    const Tensor slot = context.slot("sum", p, ada.initial_accumulator_value);
    const Tensor sum = slot + g * g;
    context.set(slot, sum);
    context.set(p.value, p.value - scalar_for(g, rate) * (g / (sqrt(sum) + ada.epsilon)));
  }));
}

Optimizer::Optimizer(const Adadelta& ada, SourceLocation where) : name("adadelta"), learning_rate(ada.lr) {
  OptionCheck("Adadelta", where)
      .at_least_zero("lr", ada.lr)
      .require(ada.rho >= 0 && ada.rho <= 1, fmt::format("rho is {}: it must lie in [0, 1]", ada.rho))
      .at_least_zero("epsilon", ada.epsilon)
      .at_least_zero("weight_decay", ada.weight_decay);
  set_rule(*this, "Adadelta", ada, for_each_parameter([ada](Update& context, const Update::Parameter& p) {
    const Tensor g = decayed_gradient(p, ada.weight_decay, ada.maximize);
    const Tensor square_slot = context.slot("square", p), change_slot = context.slot("change", p);
    const Tensor mean_square = moving_average(square_slot, g * g, ada.rho);
    const Tensor change = sqrt(change_slot + ada.epsilon) / sqrt(mean_square + ada.epsilon) * g;
    context.set(square_slot, mean_square);
    context.set(change_slot, moving_average(change_slot, change * change, ada.rho));
    context.set(p.value, p.value - scalar_for(g, p.learning_rate) * change);
  }));
}

Optimizer::Optimizer(const Lion& lion, SourceLocation where)
    : name("lion"), learning_rate(lion.lr), has_momentum(true) {
  OptionCheck("Lion", where)
      .at_least_zero("lr", lion.lr)
      .share("beta1", lion.beta1)
      .share("beta2", lion.beta2)
      .at_least_zero("weight_decay", lion.weight_decay);
  set_rule(*this, "Lion", lion, for_each_parameter([lion](Update& context, const Update::Parameter& p) {
    const Tensor g = directed_gradient(p, lion.maximize);
    const Tensor m = context.slot("m", p);
    const Tensor direction = sign(moving_average(m, g, context.momentum(lion.beta1)));
    context.set(p.value, decayed_value(p, lion.weight_decay) - scalar_for(g, p.learning_rate) * direction);
    context.set(m, moving_average(m, g, lion.beta2));
  }));
}

}  // namespace pullback
