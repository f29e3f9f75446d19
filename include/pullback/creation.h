// Tensors that are there without inputs: constants of the graph.
// All throw Error, naming the op, the shape and the user's line, when a size is negative.
#pragma once

#include <cstdint>

#include <pullback/tensor.h>

namespace pullback {

class Graph;

/// `value` everywhere in a tensor of `shape`, which may hold symbols.
Tensor full(Graph& graph, const Shape& shape, double value, DType dtype = f32,
            SourceLocation where = SourceLocation::current());
/// 0 everywhere.
Tensor zeros(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
/// 1 everywhere.
Tensor ones(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
/// Of the shape, the dtype and the graph of x. Throws Error when x is undefined.
Tensor full_like(const Tensor& x, double value, SourceLocation where = SourceLocation::current());
Tensor zeros_like(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor ones_like(const Tensor& x, SourceLocation where = SourceLocation::current());
/// 0, 1, ..., size - 1; the size may hold symbols.
Tensor arange(Graph& graph, const Dim& size, DType dtype = i64, SourceLocation where = SourceLocation::current());
/// start, start + step, ... before end: [n]. Throws Error when the steps do not lead from start to end, or when there
/// are more than 2^53 of them.
Tensor arange(Graph& graph, double start, double end, double step, DType dtype,
              SourceLocation where = SourceLocation::current());
/// `steps` numbers from start to end, evenly spaced, both ends included: [steps]. Throws Error when `steps` is negative
/// or above 2^53.
Tensor linspace(Graph& graph, double start, double end, std::int64_t steps, DType dtype = f32,
                SourceLocation where = SourceLocation::current());
/// 1 on the diagonal of [rows, columns], 0 elsewhere; columns as rows when not given.
Tensor eye(Graph& graph, const Dim& rows, DType dtype = f32, SourceLocation where = SourceLocation::current());
Tensor eye(Graph& graph, const Dim& rows, const Dim& columns, DType dtype = f32,
           SourceLocation where = SourceLocation::current());

}  // namespace pullback
