// Metrics: what is watched, not minimized.
#include <pullback/metrics.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/losses.h"
#include "compiler/frontend/operands.h"

namespace pullback {

Tensor accuracy(const Tensor& logits, const Tensor& labels, SourceLocation where) {
  detail::require_defined("accuracy", logits, where);
  detail::require_defined("accuracy", labels, where);
  detail::Pin pin(logits, where);
  const int axis = detail::normalize_axis("accuracy", logits, -1, logits.trace()->line(where));
  detail::require_labels("accuracy", logits, labels, axis, where);
  return mean(cast(equal(cast(argmax(logits), labels.dtype()), labels), f32));
}

Tensor binary_accuracy(const Tensor& logits, const Tensor& targets, SourceLocation where) {
  detail::require_pair("binary_accuracy", logits, targets, where);
  detail::Pin pin(logits, where);
  return mean(cast(equal(cast(logits > 0.0, i32), cast(targets > 0.5, i32)), f32));
}

}  // namespace pullback
