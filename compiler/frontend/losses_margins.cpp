// Losses with margins: what is right by enough costs nothing.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/losses.h"
#include "compiler/frontend/operands.h"

namespace pullback {

using detail::hinged;
using detail::reduced;
using detail::require_pair;

Tensor hinge(const Tensor& prediction, const Tensor& target, Reduction reduction, SourceLocation where) {
  require_pair("hinge", prediction, target, where);
  detail::Pin pin(prediction, where);
  return reduced(hinged(1.0 - target * prediction), reduction, prediction);
}

Tensor soft_margin(const Tensor& prediction, const Tensor& target, Reduction reduction, SourceLocation where) {
  require_pair("soft_margin", prediction, target, where);
  detail::Pin pin(prediction, where);
  return reduced(detail::stable_softplus(-target * prediction), reduction, prediction);
}

Tensor hinge_embedding(const Tensor& x, const Tensor& target, double margin, Reduction reduction,
                       SourceLocation where) {
  require_pair("hinge_embedding", x, target, where);
  detail::Pin pin(x, where);
  detail::require_number("hinge_embedding", "margin", margin, x.trace()->line(where));
  const Tensor apart = pullback::where(equal(target, 1.0), 0.0, hinged(margin - x));
  const Tensor close = pullback::where(equal(target, -1.0), 0.0, x);
  return reduced(apart + close, reduction, x);
}

Tensor margin_ranking(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction reduction,
                      SourceLocation where) {
  require_pair("margin_ranking", a, b, where);
  require_pair("margin_ranking", a, target, where);
  detail::Pin pin(a, where);
  detail::require_number("margin_ranking", "margin", margin, a.trace()->line(where));
  return reduced(hinged(margin - target * (a - b)), reduction, a);
}

Tensor cosine_embedding(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction reduction,
                        SourceLocation where) {
  require_pair("cosine_embedding", a, b, where);
  detail::require_defined("cosine_embedding", target, where);
  detail::Pin pin(a, where);
  detail::require_number("cosine_embedding", "margin", margin, a.trace()->line(where));
  const SourceLine line = a.trace()->line(where);
  if (a.rank() == 0 || target.dtype() != a.dtype() || target.shape() != Shape(a.shape().begin(), a.shape().end() - 1))
    detail::fail("cosine_embedding",
                 fmt::format("a is {}, the target {}: it must have a's type and shape without the last axis",
                             a.type_string(), target.type_string()),
                 line);
  constexpr double kEpsilon = static_cast<double>(1e-12F);  // PyTorch's
  const Tensor squares_a = sum(square(a), -1) + kEpsilon, squares_b = sum(square(b), -1) + kEpsilon;
  const Tensor cosine = sum(a * b, -1) / sqrt(squares_a * squares_b);
  const Tensor alike = pullback::where(equal(target, 1.0), 1.0 - cosine, 0.0);
  const Tensor different = pullback::where(equal(target, -1.0), hinged(cosine - margin), 0.0);
  return reduced(alike + different, reduction, a);
}

Tensor multilabel_soft_margin(const Tensor& logits, const Tensor& targets, Reduction reduction, const Tensor& weight,
                              SourceLocation where) {
  require_pair("multilabel_soft_margin", logits, targets, where);
  detail::Pin pin(logits, where);
  const SourceLine line = logits.trace()->line(where);
  if (logits.rank() == 0)
    detail::fail("multilabel_soft_margin", "logits " + logits.type_string() + " have no axis of classes", line);
  Tensor losses = detail::stable_softplus(logits) - logits * targets;
  if (weight.defined()) {
    if (weight.shape() != Shape{logits.size(-1)} || weight.dtype() != logits.dtype())
      detail::fail("multilabel_soft_margin",
                   fmt::format("the weight is {}, the logits are {}: one for each class is needed",
                               weight.type_string(), logits.type_string()),
                   line);
    losses = losses * weight;
  }
  return reduced(mean(losses, -1), reduction, logits);
}

Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletMarginOptions& options, SourceLocation where) {
  require_pair("triplet_margin", anchor, positive, where);
  require_pair("triplet_margin", anchor, negative, where);
  detail::Pin pin(anchor, where);
  const SourceLine line = anchor.trace()->line(where);
  detail::require_number("triplet_margin", "margin", options.margin, line);
  detail::require_number("triplet_margin", "p", options.p, line);
  detail::require_number("triplet_margin", "eps", options.eps, line);
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return pairwise_distance(a, b, options.p, options.eps);
  };
  Tensor apart = distance(anchor, negative);
  if (options.swap) apart = minimum(apart, distance(positive, negative));
  return reduced(hinged(options.margin + distance(anchor, positive) - apart), options.reduction, anchor);
}

}  // namespace pullback
