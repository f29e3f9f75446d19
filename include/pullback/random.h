// Random numbers: new ones at each step, reproducible from the graph's seed and the step number.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

class Graph;
/// In [low, high), from 24 (f32) or 53 (f64) random bits.
Tensor uniform(Graph& graph, const Shape& shape, DType dtype = f32, double low = 0, double high = 1,
               SourceLocation where = SourceLocation::current());
/// Standard normal, by Box and Muller's transform.
Tensor normal(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
/// While training: 0 with probability p, else x / (1 - p). Otherwise x.
Tensor dropout(const Tensor& x, double p, SourceLocation where = SourceLocation::current());

}  // namespace pullback
