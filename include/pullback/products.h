// Matrix products and other contractions.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

/// By PyTorch's rank rules: vectors are completed by an axis that is dropped again; leading axes broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// Contracts axis contract_a[i] of a with contract_b[i] of b; the result has the batch axes, then a's, then b's.
Tensor dot_general(const Tensor& a, const Tensor& b, const Axes& contract_a, const Axes& contract_b,
                   const Axes& batch_a = {}, const Axes& batch_b = {},
                   SourceLocation where = SourceLocation::current());

}  // namespace pullback
