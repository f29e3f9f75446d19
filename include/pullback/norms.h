// Lengths of vectors, and distances between them.
// All take floating tensors and throw Error, naming the op, the shapes and the user's line, when they don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

/// (sum |x|^p)^(1/p) over `axes` (all when none are given). p = 2 of a whole matrix is Frobenius' norm, p = infinity
/// the largest |x|, -infinity the smallest, 0 the number of elements that are not 0. The gradient is 0 where the norm
/// is 0 and at elements that are 0; of p = infinity it is shared evenly by the largest.
Tensor norm(const Tensor& x, double p = 2, const Axes& axes = {}, bool keepdim = false,
            SourceLocation where = SourceLocation::current());

/// x / max(norm(x, p), eps) along axes.
Tensor normalize(const Tensor& x, double p = 2, const Axes& axes = 1, double eps = 1e-12,
                 SourceLocation where = SourceLocation::current());

/// a . b / (max(|a|, eps) max(|b|, eps)) along an axis of the shape that a and b broadcast to.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis = 1, double eps = 1e-8,
                         SourceLocation where = SourceLocation::current());

/// norm(a - b + eps, p) over the last axis.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6, bool keepdim = false,
                         SourceLocation where = SourceLocation::current());

/// The distance of every row of a to every row of b: [...,P,D] and [...,R,D] -> [...,P,R].
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2, SourceLocation where = SourceLocation::current());

}  // namespace pullback
