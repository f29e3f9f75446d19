// Update rules of Adam's family: m and v estimate the gradient's mean and mean square, and dividing by 1 - beta^t
// removes the bias of starting at 0. All scalars are f64 and rounded to the parameter's dtype once.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/optimizers.h"

namespace pullback {

using namespace detail;

namespace {

template <class Options>
OptionCheck check_family(const char* optimizer, const Options& options, const SourceLocation& where) {
  OptionCheck check(optimizer, where);
  check.at_least_zero("lr", options.lr)
      .share("beta1", options.beta1)
      .share("beta2", options.beta2)
      .at_least_zero("epsilon", options.epsilon)
      .at_least_zero("weight_decay", options.weight_decay);
  return check;
}

// 1 - beta^t.
Tensor bias_correction(const Tensor& beta, const Tensor& step) {
  return 1.0 - pow(beta, step);
}
Tensor bias_correction(double beta, const Tensor& step) {
  return 1.0 - pow(beta, step);
}

struct Moments {
  Tensor m, v;
};

// The slots "m" and "v", brought up to date with g.
Moments update_moments(Update& update, const Update::Parameter& p, const Tensor& g, const Tensor& beta1, double beta2) {
  const Tensor m_slot = update.slot("m", p), v_slot = update.slot("v", p);
  const Moments moments{moving_average(m_slot, g, beta1), moving_average(v_slot, g * g, beta2)};
  update.set(m_slot, moments.m);
  update.set(v_slot, moments.v);
  return moments;
}

// Scalars that the updates of all parameters share; the first of them makes them.
struct AdamScalars {
  Tensor beta1, correction, per_root;
};

// Adam and AdamW: from `value` along the direction that g gives.
template <class Options>
void adam_update(const Options& adam, Update& update, AdamScalars& shared, const Update::Parameter& p,
                 const Tensor& value, const Tensor& g) {
  if (!shared.beta1.defined()) shared.beta1 = update.momentum(adam.beta1);
  auto [m, v] = update_moments(update, p, g, shared.beta1, adam.beta2);
  if (adam.amsgrad) {
    const Tensor largest = update.slot("v_max", p);
    v = maximum(largest, v);
    update.set(largest, v);
  }
  if (!shared.correction.defined()) shared.correction = bias_correction(shared.beta1, update.step());
  const Tensor rate = scalar_for(g, p.learning_rate / shared.correction);
  if (!shared.per_root.defined()) shared.per_root = 1.0 / sqrt(bias_correction(adam.beta2, update.step()));
  const Tensor per_root = scalar_for(g, shared.per_root);
  update.set(p.value, value - rate * m / (sqrt(v) * per_root + adam.epsilon));
}

}  // namespace

Optimizer::Optimizer(const Adam& adam, SourceLocation where)
    : name("adam"), learning_rate(adam.lr), has_momentum(true) {
  check_family("Adam", adam, where);
  set_rule(*this, "Adam", adam, [adam](Update& context) {
    AdamScalars shared;
    for (const Update::Parameter& p : context.parameters())
      adam_update(adam, context, shared, p, p.value, decayed_gradient(p, adam.weight_decay, adam.maximize));
  });
}

Optimizer::Optimizer(const AdamW& adamw, SourceLocation where)
    : name("adamw"), learning_rate(adamw.lr), has_momentum(true) {
  check_family("AdamW", adamw, where);
  set_rule(*this, "AdamW", adamw, [adamw](Update& context) {
    AdamScalars shared;
    for (const Update::Parameter& p : context.parameters())
      adam_update(adamw, context, shared, p, decayed_value(p, adamw.weight_decay),
                  directed_gradient(p, adamw.maximize));
  });
}

Optimizer::Optimizer(const Adamax& adamax, SourceLocation where)
    : name("adamax"), learning_rate(adamax.lr), has_momentum(true) {
  check_family("Adamax", adamax, where);
  set_rule(*this, "Adamax", adamax, for_each_parameter([adamax](Update& context, const Update::Parameter& p) {
    const Tensor g = decayed_gradient(p, adamax.weight_decay, adamax.maximize);
    const Tensor beta1 = context.momentum(adamax.beta1);
    const Tensor m_slot = context.slot("m", p), u_slot = context.slot("u", p);
    const Tensor m = moving_average(m_slot, g, beta1);
    const Tensor u = maximum(adamax.beta2 * u_slot, abs(g) + adamax.epsilon);
    context.set(m_slot, m);
    context.set(u_slot, u);
    const Tensor rate = scalar_for(g, p.learning_rate / bias_correction(beta1, context.step()));
    context.set(p.value, p.value - rate * (m / u));
  }));
}

Optimizer::Optimizer(const NAdam& nadam, SourceLocation where)
    : name("nadam"), learning_rate(nadam.lr), has_momentum(true) {
  check_family("NAdam", nadam, where).at_least_zero("momentum_decay", nadam.momentum_decay);
  set_rule(*this, "NAdam", nadam, [nadam](Update& context) {
    const Tensor beta1 = context.momentum(nadam.beta1), t = context.step();
    const auto mu_at = [&](const Tensor& step) { return beta1 * (1.0 - 0.5 * pow(0.96, step * nadam.momentum_decay)); };
    const Tensor mu = mu_at(t), mu_next = mu_at(t + 1.0);
    const Tensor slot = context.slot("mu_product", f64, {}, 1);
    const Tensor product = slot * mu;
    context.set(slot, product);
    for (const Update::Parameter& p : context.parameters()) {
      const Tensor g = decayed_gradient(p, nadam.weight_decay, nadam.maximize);
      const auto [m, v] = update_moments(context, p, g, beta1, nadam.beta2);
      const Tensor of_gradient = scalar_for(g, p.learning_rate * (1.0 - mu) / (1.0 - product));
      const Tensor of_mean = scalar_for(g, p.learning_rate * mu_next / (1.0 - product * mu_next));
      const Tensor root = sqrt(v / scalar_for(g, bias_correction(nadam.beta2, t))) + nadam.epsilon;
      context.set(p.value, p.value - of_gradient * (g / root) - of_mean * (m / root));
    }
  });
}

Optimizer::Optimizer(const RAdam& radam, SourceLocation where)
    : name("radam"), learning_rate(radam.lr), has_momentum(true) {
  check_family("RAdam", radam, where);
  set_rule(*this, "RAdam", radam, for_each_parameter([radam](Update& context, const Update::Parameter& p) {
    const Tensor g = decayed_gradient(p, radam.weight_decay, radam.maximize);
    const Tensor beta1 = context.momentum(radam.beta1), t = context.step();
    const auto [m, v] = update_moments(context, p, g, beta1, radam.beta2);
    const Tensor rate = p.learning_rate / bias_correction(beta1, t);
    // The length of the simple moving average that v resembles; up to 5 its variance cannot be rectified.
    const double rho_inf = 2 / (1 - radam.beta2) - 1;
    const Tensor correction2 = bias_correction(radam.beta2, t);
    const Tensor rho = rho_inf - 2.0 * t * pow(radam.beta2, t) / correction2;
    const Tensor rectified = rho > 5.0;
    const Tensor safe = pullback::where(rectified, rho, 6.0);
    const Tensor factor =
        sqrt((safe - 4.0) * (safe - 2.0) / safe * (rho_inf / ((rho_inf - 4) * (rho_inf - 2))) * correction2);
    const Tensor adaptive = scalar_for(g, rate * factor) * (m / (sqrt(v) + radam.epsilon));
    context.set(p.value, p.value - pullback::where(rectified, adaptive, scalar_for(g, rate) * m));
  }));
}

Optimizer::Optimizer(const LAMB& lamb, SourceLocation where)
    : name("lamb"), learning_rate(lamb.lr), has_momentum(true) {
  check_family("LAMB", lamb, where);
  set_rule(*this, "LAMB", lamb, for_each_parameter([lamb](Update& context, const Update::Parameter& p) {
    const Tensor g = directed_gradient(p, lamb.maximize);
    const Tensor beta1 = context.momentum(lamb.beta1);
    const auto [m, v] = update_moments(context, p, g, beta1, lamb.beta2);
    const Tensor m_hat = m / scalar_for(g, bias_correction(beta1, context.step()));
    const Tensor v_hat = v / scalar_for(g, bias_correction(lamb.beta2, context.step()));
    const Tensor direction =
        m_hat / (sqrt(v_hat) + lamb.epsilon) + p.weight_decay.value_or(lamb.weight_decay) * p.value;
    const Tensor size = sqrt(sum(square(p.value))), length = sqrt(sum(square(direction)));
    const Tensor trust = pullback::where((size > 0.0) & (length > 0.0), size / length, 1.0);
    context.set(p.value, p.value - scalar_for(g, p.learning_rate) * trust * direction);
  }));
}

}  // namespace pullback
