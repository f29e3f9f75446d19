// Losses and metrics.
#include <pullback/losses.h>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/metrics.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

static std::string named(const char* role, const Tensor& x) {
  return fmt::format("{} {}are {}", role, x.name().empty() ? "" : x.name() + " ", x.type_string());
}

// labels: logits without its last axis, as integers.
static void require_labels(const char* op, const Tensor& logits, const Tensor& labels, const SourceLocation& where) {
  detail::require_defined(op, logits, where);
  detail::require_defined(op, labels, where);
  const SourceLine line = logits.trace()->line(where);
  const std::string operands = named("logits", logits) + ", " + named("labels", labels);
  if (!is_float(logits.dtype()) || logits.rank() == 0)
    detail::fail(op, operands + ": floating logits [..., classes] are needed", line);
  if (labels.dtype() != i32 && labels.dtype() != i64)
    detail::fail(op, operands + ": labels must be i32 or i64; cast() them", line);
  if (labels.shape() != Shape(logits.shape().begin(), logits.shape().end() - 1))
    detail::fail(op, operands + ": the labels' shape must be the logits' without the last axis", line);
}

static void require_pair(const char* op, const Tensor& a, const Tensor& b, const SourceLocation& where) {
  detail::require_defined(op, a, where);
  detail::require_defined(op, b, where);
  const SourceLine line = a.trace()->line(where);
  detail::require_float(op, a, line);
  if (a.dtype() != b.dtype() || a.shape() != b.shape())
    detail::fail(op,
                 fmt::format("the prediction is {}, the target {}: they must agree; reshape() or cast() one",
                             a.type_string(), b.type_string()),
                 line);
}

static Tensor reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(losses);
    case Reduction::sum:
      return sum(losses);
    case Reduction::none:
      break;
  }
  return losses;
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Reduction reduction, SourceLocation where) {
  require_labels("cross_entropy", logits, labels, where);
  detail::Pin pin(logits, where);
  const Dim classes = logits.size(-1);
  if (classes.is_constant()) {
    const Tensor low = min(labels), high = max(labels);
    check((low >= 0) & (high < classes.constant()),
          fmt::format("cross_entropy: labels{} lie in {{}}..{{}}, but there are {} classes, 0..{}",
                      labels.name().empty() ? "" : " " + labels.name(), classes.constant(), classes.constant() - 1),
          {low, high});
  }
  // The label's entry is chosen by comparison: it fuses with log_softmax, and its gradient is no scatter.
  const SourceLine line = logits.trace()->line(where);
  const Tensor numbers = logits.trace()->emit(
      "cross_entropy", {}, line,
      [&](ir::Builder& b, const std::vector<ops::Value>&) { return ops::iota(b, labels.dtype(), {classes}, 0); });
  const Tensor chosen = equal(unsqueeze(labels, -1), numbers);
  return reduced(-sum(pullback::where(chosen, log_softmax(logits), 0.0), -1), reduction);
}

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction, SourceLocation where) {
  require_pair("mse", prediction, target, where);
  detail::Pin pin(prediction, where);
  return reduced(square(prediction - target), reduction);
}

Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction, SourceLocation where) {
  require_pair("l1", prediction, target, where);
  detail::Pin pin(prediction, where);
  return reduced(abs(prediction - target), reduction);
}

Tensor huber(const Tensor& prediction, const Tensor& target, double delta, Reduction reduction, SourceLocation where) {
  require_pair("huber", prediction, target, where);
  detail::Pin pin(prediction, where);
  if (!(delta > 0))
    detail::fail("huber", fmt::format("delta is {}: it must be positive", delta), prediction.trace()->line(where));
  const Tensor distance = abs(prediction - target);
  const Tensor near = 0.5 * square(distance), far = delta * (distance - 0.5 * delta);
  return reduced(pullback::where(distance <= delta, near, far), reduction);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, Reduction reduction, SourceLocation where) {
  require_pair("bce_with_logits", logits, targets, where);
  detail::Pin pin(logits, where);
  return reduced(softplus(logits) - logits * targets, reduction);
}

Tensor accuracy(const Tensor& logits, const Tensor& labels, SourceLocation where) {
  require_labels("accuracy", logits, labels, where);
  detail::Pin pin(logits, where);
  return mean(cast(equal(cast(argmax(logits), labels.dtype()), labels), f32));
}

Tensor binary_accuracy(const Tensor& logits, const Tensor& targets, SourceLocation where) {
  require_pair("binary_accuracy", logits, targets, where);
  detail::Pin pin(logits, where);
  return mean(cast(equal(cast(logits > 0.0, i32), cast(targets > 0.5, i32)), f32));
}

}  // namespace pullback
