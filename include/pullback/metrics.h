// Metrics: scalars to watch. No gradient flows through them.
// All throw Error, naming the function, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

/// The share of rows whose largest logit is the label's: logits [..., classes], labels [...] i32 or i64 -> f32[].
Tensor accuracy(const Tensor& logits, const Tensor& labels, SourceLocation where = SourceLocation::current());
/// The share of elements whose logit's sign agrees with the target (> 0.5): equal floating types and shapes -> f32[].
Tensor binary_accuracy(const Tensor& logits, const Tensor& targets, SourceLocation where = SourceLocation::current());

}  // namespace pullback
