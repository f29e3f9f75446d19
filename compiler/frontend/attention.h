// What the kinds of attention share.
#pragma once

#include <pullback/tensor.h>

namespace pullback::detail {

/// Scores with -infinity where a bool mask is false, or with a floating mask added.
Tensor masked(const Tensor& scores, const Tensor& mask);

/// [queries,keys]: key j is not after query i.
Tensor causal_mask(const Tensor& scores, const Dim& queries, const Dim& keys, const SourceLine& line);

/// softmax over the last axis; 0 in rows of -infinity.
Tensor attention_weights(const Tensor& scores);

}  // namespace pullback::detail
