// Tensors that are there without inputs.
#pragma once

#include <cstdint>

#include <pullback/tensor.h>

namespace pullback {

class Graph;

Tensor full(Graph& graph, const Shape& shape, double value, DType dtype = f32,
            SourceLocation where = SourceLocation::current());
Tensor zeros(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
Tensor ones(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
/// Of the shape, the dtype and the graph of x.
Tensor full_like(const Tensor& x, double value, SourceLocation where = SourceLocation::current());
Tensor zeros_like(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor ones_like(const Tensor& x, SourceLocation where = SourceLocation::current());
/// 0, 1, ..., size - 1; the size may hold symbols.
Tensor arange(Graph& graph, const Dim& size, DType dtype = i64, SourceLocation where = SourceLocation::current());
/// start, start + step, ... before end.
Tensor arange(Graph& graph, double start, double end, double step, DType dtype,
              SourceLocation where = SourceLocation::current());
/// `steps` numbers from start to end, evenly spaced, both ends included.
Tensor linspace(Graph& graph, double start, double end, std::int64_t steps, DType dtype = f32,
                SourceLocation where = SourceLocation::current());
/// 1 on the diagonal of [rows, columns], 0 elsewhere; columns as rows when not given.
Tensor eye(Graph& graph, const Dim& rows, DType dtype = f32, SourceLocation where = SourceLocation::current());
Tensor eye(Graph& graph, const Dim& rows, const Dim& columns, DType dtype = f32,
           SourceLocation where = SourceLocation::current());

}  // namespace pullback
