// Products of vectors and of given ranks, upon matmul, dot_general and broadcasting.
#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

using detail::fail;

static void require_ranks(const char* op, const Tensor& a, std::size_t rank_a, const Tensor& b, std::size_t rank_b,
                          const SourceLocation& where) {
  detail::require_defined(op, a, where);
  detail::require_defined(op, b, where);
  if (a.rank() != rank_a || b.rank() != rank_b)
    fail(op,
         fmt::format("the operands are {} and {}: {} and {} axes are needed", a.type_string(), b.type_string(), rank_a,
                     rank_b),
         a.trace()->line(where));
}

Tensor mv(const Tensor& matrix, const Tensor& vector, SourceLocation where) {
  require_ranks("mv", matrix, 2, vector, 1, where);
  return matmul(matrix, vector, where);
}

Tensor bmm(const Tensor& a, const Tensor& b, SourceLocation where) {
  require_ranks("bmm", a, 3, b, 3, where);
  if (!(a.size(0) == b.size(0)))
    fail("bmm", fmt::format("{} and {} differ at the batch axis", a.type_string(), b.type_string()),
         a.trace()->line(where));
  return matmul(a, b, where);
}

Tensor dot(const Tensor& a, const Tensor& b, SourceLocation where) {
  require_ranks("dot", a, 1, b, 1, where);
  return matmul(a, b, where);
}

Tensor outer(const Tensor& a, const Tensor& b, SourceLocation where) {
  require_ranks("outer", a, 1, b, 1, where);
  return mul(unsqueeze(a, 1, where), b, where);
}

// The element-wise products of two rotations of each: a1*b2 - a2*b1 and so on.
Tensor cross(const Tensor& a, const Tensor& b, int axis, SourceLocation where) {
  detail::require_defined("cross", a, where);
  detail::require_defined("cross", b, where);
  detail::Pin pin(a, where);
  const SourceLine line = a.trace()->line(where);
  const int at_a = detail::normalize_axis("cross", a, axis, line),
            at_b = detail::normalize_axis("cross", b, axis, line);
  if (!(a.size(at_a) == Dim(3)) || !(b.size(at_b) == Dim(3)))
    fail("cross", fmt::format("{} and {}: axis {} needs size 3", a.type_string(), b.type_string(), axis), line);
  const auto turned = [](const Tensor& x, int at, std::int64_t by) { return roll(x, {by}, at); };
  return turned(a, at_a, -1) * turned(b, at_b, -2) - turned(a, at_a, -2) * turned(b, at_b, -1);
}

Tensor kron(const Tensor& a, const Tensor& b, SourceLocation where) {
  detail::require_defined("kron", a, where);
  detail::require_defined("kron", b, where);
  detail::Pin pin(a, where);
  const std::size_t rank = std::max(a.rank(), b.rank());
  const auto size = [&](const Tensor& x, std::size_t axis) {
    return axis + x.rank() < rank ? Dim(1) : x.shape()[axis + x.rank() - rank];
  };
  // Axes of a and b take turns: [a0, 1, a1, 1] * [1, b0, 1, b1], then pairs are joined.
  Shape of_a, of_b, joined;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    of_a.insert(of_a.end(), {size(a, axis), Dim(1)});
    of_b.insert(of_b.end(), {Dim(1), size(b, axis)});
    joined.push_back(size(a, axis) * size(b, axis));
  }
  return reshape(reshape(a, of_a) * reshape(b, of_b), joined);
}

Tensor tensordot(const Tensor& a, const Tensor& b, const Axes& axes_a, const Axes& axes_b, SourceLocation where) {
  return dot_general(a, b, axes_a, axes_b, {}, {}, where);
}

}  // namespace pullback
