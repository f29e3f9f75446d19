// Random numbers: new ones at each step, reproducible from the graph's seed and the step number.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>

#include <pullback/tensor.h>

namespace pullback {

class Graph;
/// In [low, high), from 24 (f32) or 53 (f64) random bits.
Tensor uniform(Graph& graph, const Shape& shape, DType dtype = f32, double low = 0, double high = 1,
               SourceLocation where = SourceLocation::current());
/// Standard normal, by Box and Muller's transform.
Tensor normal(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
/// Integers in [low, high).
Tensor randint(Graph& graph, std::int64_t low, std::int64_t high, const Shape& shape, DType dtype = i64,
               SourceLocation where = SourceLocation::current());
/// 1 with the probability that each element of `probability` gives, else 0, in its dtype. No gradient flows through it.
Tensor bernoulli(const Tensor& probability, SourceLocation where = SourceLocation::current());
/// A random order of 0, 1, ..., size - 1 (i64): PyTorch's randperm.
Tensor permutation(Graph& graph, const Dim& size, SourceLocation where = SourceLocation::current());
/// While training: 0 with probability p, else x / (1 - p). Otherwise x. p lies in [0, 1] (Srivastava et al. 2014).
Tensor dropout(const Tensor& x, double p, SourceLocation where = SourceLocation::current());
/// dropout of whole channels: x [N,C,...], one decision for each n and c (Tompson et al. 2015).
Tensor feature_dropout(const Tensor& x, double p, SourceLocation where = SourceLocation::current());
/// dropout for selu networks: keeps mean 0 and variance 1 (Klambauer et al. 2017).
Tensor alpha_dropout(const Tensor& x, double p, SourceLocation where = SourceLocation::current());

}  // namespace pullback
