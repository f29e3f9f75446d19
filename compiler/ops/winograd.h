// Convolutions of 3x3 windows, and the gradients of their kernels, by Winograd's minimal filtering.
#pragma once

#include "compiler/ir/kernel/builder.h"
#include "compiler/ops/windows.h"

namespace pullback::ops {

/// w [O,C/groups,3,3] -> [4,4,C/groups,O]; see op_winograd_filter.
Value winograd_filter(Value w);
/// x [N,C,H,W], u as winograd_filter makes it -> [N,O,H',W']; see op_winograd_convolution. The windows are 3x3, without
/// strides or dilations.
Value winograd_convolution(Value x, Value u, const Windows& windows, std::int64_t groups = 1);
/// x [C,N,H,W], g [O,N,H',W'] -> [S,4,4,C/batch_groups,O]; see op_winograd_products. The windows are those of
/// convolution(x, g), whose result is 3x3 elements large; S, the slabs, divides N.
Value winograd_products(Value x, Value g, const Windows& windows, std::int64_t slabs, std::int64_t batch_groups = 1);
/// Of winograd_products: convolution(x, g), [C,O,3,3]; see op_winograd_result.
Value winograd_result(Value products);

/// The transforms of F(2x2,3x3) and F(3x3,2x2), which share that of the tiles d of 4x4 elements. With matrices whose
/// entries are 0, 1, -1 and 1/2 they are
///   y = A^T [(G w G^T) * (B^T d B)] A,
/// where y are 2x2 sums of products with 3x3 elements w, or 3x3 with 2x2, by 16 products where the definition has 36.
/// Here each is along one axis. T is a number or a value of kernel IR; `a` has add(x, y), sub(x, y) and half(x).
/// Source: Lavin, Gray: "Fast algorithms for convolutional neural networks", 2016.
namespace winograd {

inline constexpr int kTile = 4;     ///< elements of a tile along an axis
inline constexpr int kTaps = 3;     ///< of the kernels
inline constexpr int kResults = 2;  ///< of a tile

/// Tiles that so many results need.
inline std::int64_t tiles_along(std::int64_t size) {
  return (size + kResults - 1) / kResults;
}

template <class T, class Arithmetic>
std::vector<T> transform_input(const std::vector<T>& d, const Arithmetic& a) {
  return {a.sub(d[0], d[2]), a.add(d[1], d[2]), a.sub(d[2], d[1]), a.sub(d[1], d[3])};
}
/// Of 3 elements w.
template <class T, class Arithmetic>
std::vector<T> transform_filter(const std::vector<T>& w, const Arithmetic& a) {
  const T ends = a.add(w[0], w[2]);
  return {w[0], a.half(a.add(ends, w[1])), a.half(a.sub(ends, w[1])), w[2]};
}
/// Of 2 elements w.
template <class T, class Arithmetic>
std::vector<T> transform_cotangent(const std::vector<T>& w, const Arithmetic& a) {
  return {w[0], a.half(a.add(w[0], w[1])), a.half(a.sub(w[0], w[1])), w[1]};
}
/// To 2 results.
template <class T, class Arithmetic>
std::vector<T> transform_result(const std::vector<T>& m, const Arithmetic& a) {
  return {a.add(a.add(m[0], m[1]), m[2]), a.sub(a.sub(m[1], m[2]), m[3])};
}
/// To 3 results.
template <class T, class Arithmetic>
std::vector<T> transform_gradient(const std::vector<T>& m, const Arithmetic& a) {
  const T sum = a.add(m[1], m[2]);
  return {a.add(m[0], sum), a.sub(m[1], m[2]), a.sub(sum, m[3])};
}

/// The arithmetic of values of kernel IR.
struct OnValues {
  kernel::Builder& b;
  kernel::Value* add(kernel::Value* x, kernel::Value* y) const { return b.add(x, y); }
  kernel::Value* sub(kernel::Value* x, kernel::Value* y) const { return b.sub(x, y); }
  kernel::Value* half(kernel::Value* x) const { return b.mul(x, b.like(x, 0.5)); }
};

/// The transform along both axes of a square of `size` x `size`, row-major.
template <class T, class Transform>
std::vector<T> along_both(const std::vector<T>& square, int size, const Transform& transform) {
  std::vector<std::vector<T>> columns;  // of the half transformed square
  for (int x = 0; x < size; ++x) {
    std::vector<T> column;
    for (int y = 0; y < size; ++y) column.push_back(square[static_cast<std::size_t>(y * size + x)]);
    columns.push_back(transform(column));
  }
  std::vector<T> result;
  for (std::size_t y = 0; y < columns.front().size(); ++y) {
    std::vector<T> row;
    for (const std::vector<T>& column : columns) row.push_back(column[y]);
    for (T& each : transform(row)) result.push_back(each);
  }
  return result;
}

}  // namespace winograd

}  // namespace pullback::ops
