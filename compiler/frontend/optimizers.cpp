// Update rules of optimizers, written in the DSL.
#include <pullback/optimizers.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

namespace pullback {

Optimizer::Optimizer(const SGD& sgd) : name("sgd"), learning_rate(sgd.lr) {
  if (sgd.momentum != 0) slot_names = {"momentum"};
  update = [sgd](const UpdateInputs& in) -> UpdateOutputs {
    Tensor g = in.gradient;
    if (sgd.weight_decay != 0) g = g + sgd.weight_decay * in.parameter;
    if (sgd.momentum == 0) return {in.parameter - in.learning_rate * g, {}};
    const Tensor v = sgd.momentum * in.slots[0] + g;
    const Tensor direction = sgd.nesterov ? g + sgd.momentum * v : v;
    return {in.parameter - in.learning_rate * direction, {v}};
  };
}

// m and v estimate the gradient's mean and mean square; dividing by 1 - beta^step removes the bias of starting at 0.
static UpdateOutputs adam_update(const AdamW& adam, const Tensor& decayed, const Tensor& g, const UpdateInputs& in) {
  const Tensor m = adam.beta1 * in.slots[0] + (1 - adam.beta1) * g;
  const Tensor v = adam.beta2 * in.slots[1] + (1 - adam.beta2) * (g * g);
  const Tensor correction1 = 1.0 - pow(adam.beta1, in.step);
  const Tensor correction2 = sqrt(1.0 - pow(adam.beta2, in.step));
  const Tensor step = in.learning_rate / correction1;
  return {decayed - step * m / (sqrt(v) / correction2 + adam.epsilon), {m, v}};
}

Optimizer::Optimizer(const Adam& adam) : name("adam"), learning_rate(adam.lr), slot_names{"m", "v"} {
  const AdamW same{adam.lr, adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay};
  update = [same](const UpdateInputs& in) {
    const Tensor g = same.weight_decay == 0 ? in.gradient : in.gradient + same.weight_decay * in.parameter;
    return adam_update(same, in.parameter, g, in);
  };
}

Optimizer::Optimizer(const AdamW& adamw) : name("adamw"), learning_rate(adamw.lr), slot_names{"m", "v"} {
  update = [adamw](const UpdateInputs& in) {
    const Tensor decayed = in.parameter * (1.0 - adamw.weight_decay * in.learning_rate);
    return adam_update(adamw, decayed, in.gradient, in);
  };
}

}  // namespace pullback
