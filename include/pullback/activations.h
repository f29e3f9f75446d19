// Activation functions.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

/// max(x, 0); relu'(0) = 0.
Tensor relu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016).
Tensor gelu(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sigmoid(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x * sigmoid(x).
Tensor silu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// log(1 + exp x), without overflow.
Tensor softplus(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Along `axis`; its maximum is subtracted first.
Tensor softmax(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());
Tensor log_softmax(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());

}  // namespace pullback
