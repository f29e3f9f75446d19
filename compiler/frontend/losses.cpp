// Losses that compare a prediction with a target: distances and likelihoods; and what all losses share.
#include "compiler/frontend/losses.h"

#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"
#include "compiler/frontend/reductions.h"

namespace pullback {

namespace detail {

std::string described(const char* role, const Tensor& x) {
  return fmt::format("{} {}are {}", role, x.name().empty() ? "" : x.name() + " ", x.type_string());
}

void require_pair(const char* op, const Tensor& prediction, const Tensor& target, const SourceLocation& where) {
  require_defined(op, prediction, where);
  require_defined(op, target, where);
  const SourceLine line = prediction.trace()->line(where);
  require_float(op, prediction, line);
  if (prediction.dtype() != target.dtype() || prediction.shape() != target.shape())
    fail(op,
         fmt::format("the prediction is {}, the target {}: they must agree; reshape() or cast() one",
                     prediction.type_string(), target.type_string()),
         line);
}

Tensor reduced(const Tensor& losses, Reduction reduction, const Tensor& prediction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(losses);
    case Reduction::sum:
      return sum(losses);
    case Reduction::batch_mean: {
      const SourceLine line = losses.trace()->line(SourceLocation::current());  // pinned by the loss
      if (prediction.rank() == 0) fail("batch_mean", "a scalar has no batch axis", line);
      return sum(losses) / folded_count(prediction, {0}, losses.dtype(), line);
    }
    case Reduction::none:
      break;
  }
  return losses;
}

Tensor stable_softplus(const Tensor& x) {
  // One comparison decides both terms, so that their gradients fit together at 0, where |x| and relu have kinks.
  const Tensor positive = x > 0.0;
  return where(positive, x, 0.0) + log1p(exp(-where(positive, x, -x)));
}

Tensor hinged(const Tensor& x) {
  return where(x < 0.0, 0.0, x);
}

}  // namespace detail

using detail::reduced;
using detail::require_pair;

namespace {

void require_positive(const char* op, const char* what, double value, const Tensor& x, const SourceLocation& where) {
  if (!(value > 0)) detail::fail(op, fmt::format("{} is {}: it must be positive", what, value), x.trace()->line(where));
}

// Weighted when there is a weight, which must not make the losses larger.
Tensor weighted(const char* op, const Tensor& losses, const Tensor& weight) {
  if (!weight.defined()) return losses;
  const Tensor product = losses * weight;
  if (product.shape() != losses.shape())
    detail::fail(op, fmt::format("the weight is {}, the losses are {}", weight.type_string(), losses.type_string()),
                 losses.trace()->line(SourceLocation::current()));
  return product;
}

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction, SourceLocation where) {
  require_pair("mse", prediction, target, where);
  detail::Pin pin(prediction, where);
  return reduced(square(prediction - target), reduction, prediction);
}

Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction, SourceLocation where) {
  require_pair("l1", prediction, target, where);
  detail::Pin pin(prediction, where);
  return reduced(abs(prediction - target), reduction, prediction);
}

Tensor smooth_l1(const Tensor& prediction, const Tensor& target, double beta, Reduction reduction,
                 SourceLocation where) {
  if (beta == 0) return l1(prediction, target, reduction, where);
  require_pair("smooth_l1", prediction, target, where);
  detail::Pin pin(prediction, where);
  require_positive("smooth_l1", "beta", beta, prediction, where);
  const Tensor distance = abs(prediction - target);
  const Tensor near = square(distance) * (0.5 / beta), far = distance - 0.5 * beta;
  return reduced(pullback::where(distance < beta, near, far), reduction, prediction);
}

Tensor huber(const Tensor& prediction, const Tensor& target, double delta, Reduction reduction, SourceLocation where) {
  require_pair("huber", prediction, target, where);
  detail::Pin pin(prediction, where);
  require_positive("huber", "delta", delta, prediction, where);
  const Tensor distance = abs(prediction - target);
  const Tensor near = 0.5 * square(distance), far = delta * (distance - 0.5 * delta);
  return reduced(pullback::where(distance <= delta, near, far), reduction, prediction);
}

// p:[...] t:[...] -> -t log p - (1-t) log(1-p), with a gradient that stays finite where p is 0 or 1:
// dp = g (p - t) / max(p (1-p), 1e-12f), dt = g (log(1-p) - log p).
static Tensor bounded_bce(const Tensor& probabilities, const Tensor& targets) {
  constexpr double kLeastVariance = 1e-12F;  // rounded to f32 as PyTorch's is, at f64 too
  const auto bounded_log = [](const Tensor& x) { return maximum(log(x), -100.0); };
  const auto body = [&](const std::vector<Tensor>& v) {
    const Tensor &p = v[0], &t = v[1];
    return std::vector{(t - 1.0) * bounded_log(1.0 - p) - t * bounded_log(p)};
  };
  const auto gradient = [&](const std::vector<Tensor>& v) {
    const Tensor &p = v[0], &t = v[1], &g = v[3];
    return std::vector{g * (p - t) / maximum(p * (1.0 - p), kLeastVariance),
                       g * (bounded_log(1.0 - p) - bounded_log(p))};
  };
  return custom_gradient("bce", {probabilities, targets}, body, gradient)[0];
}

Tensor bce(const Tensor& probabilities, const Tensor& targets, Reduction reduction, const Tensor& weight,
           SourceLocation where) {
  require_pair("bce", probabilities, targets, where);
  detail::Pin pin(probabilities, where);
  return reduced(weighted("bce", bounded_bce(probabilities, targets), weight), reduction, probabilities);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, Reduction reduction, SourceLocation where) {
  return bce_with_logits(logits, targets, BceWithLogitsOptions{.reduction = reduction}, where);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const BceWithLogitsOptions& options,
                       SourceLocation where) {
  require_pair("bce_with_logits", logits, targets, where);
  detail::Pin pin(logits, where);
  // log(1 - sigmoid(x)) = -softplus(x) and log sigmoid(x) = -softplus(-x) = x - softplus(x).
  Tensor losses;
  if (options.pos_weight.defined()) {
    const Tensor ones = 1.0 + targets * (options.pos_weight - 1.0);
    losses = (1.0 - targets) * logits + ones * detail::stable_softplus(-logits);
  } else {
    losses = detail::stable_softplus(logits) - logits * targets;
  }
  return reduced(weighted("bce_with_logits", losses, options.weight), options.reduction, logits);
}

Tensor kl_div(const Tensor& log_probabilities, const Tensor& targets, const KlDivOptions& options,
              SourceLocation where) {
  require_pair("kl_div", log_probabilities, targets, where);
  detail::Pin pin(log_probabilities, where);
  if (options.log_target)
    return reduced(exp(targets) * (targets - log_probabilities), options.reduction, log_probabilities);
  // 0 log 0 = 0; the logarithm is taken of 1 there, so that no infinity reaches the gradient.
  const Tensor none = equal(targets, 0.0);
  const Tensor entropy = targets * log(pullback::where(none, 1.0, targets));
  return reduced(entropy - targets * log_probabilities, options.reduction, log_probabilities);
}

Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    const GaussianNllOptions& options, SourceLocation where) {
  require_pair("gaussian_nll", prediction, target, where);
  detail::require_defined("gaussian_nll", variance, where);
  detail::Pin pin(prediction, where);
  require_positive("gaussian_nll", "eps", options.eps, prediction, where);
  const SourceLine line = prediction.trace()->line(where);
  const Shape rows(prediction.shape().begin(), prediction.shape().end() - (prediction.rank() > 0 ? 1 : 0));
  const bool lacks_last = variance.shape() == rows && variance.shape() != prediction.shape();
  const Tensor given = lacks_last ? unsqueeze(variance, -1) : variance;
  if (detail::broadcast_shapes(
          "gaussian_nll", {prediction.shape(), given.shape()},
          "the prediction is " + prediction.type_string() + ", the variance " + variance.type_string(),
          line) != prediction.shape())
    detail::fail("gaussian_nll",
                 fmt::format("the variance {} is larger than the prediction {}", variance.type_string(),
                             prediction.type_string()),
                 line);
  check(given >= 0.0, "gaussian_nll: a variance is {}: none may be negative",
        {reshape(detail::smallest(given, detail::normalize_axes("gaussian_nll", given, {}, line), line), {})});
  // Raised, but with the gradient of what was given.
  const Tensor raised = pullback::where(given < options.eps, options.eps + (given - stop_gradient(given)), given);
  Tensor losses = 0.5 * (log(raised) + square(prediction - target) / raised);
  if (options.full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return reduced(losses, options.reduction, prediction);
}

Tensor poisson_nll(const Tensor& prediction, const Tensor& target, const PoissonNllOptions& options,
                   SourceLocation where) {
  require_pair("poisson_nll", prediction, target, where);
  detail::Pin pin(prediction, where);
  detail::require_at_least_zero("poisson_nll", "eps", options.eps, prediction.trace()->line(where));
  Tensor losses =
      options.log_input ? exp(prediction) - target * prediction : prediction - target * log(prediction + options.eps);
  if (options.full) {
    const Tensor many = target > 1.0;
    const Tensor t = pullback::where(many, target, 1.0);
    const Tensor stirling = t * log(t) - t + 0.5 * log(2 * std::numbers::pi * t);
    losses = losses + pullback::where(many, stirling, 0.0);
  }
  return reduced(losses, options.reduction, prediction);
}

}  // namespace pullback
