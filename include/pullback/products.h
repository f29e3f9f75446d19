// Matrix products and other contractions.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// By PyTorch's rank rules: vectors are completed by an axis that is dropped again; leading axes broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// [M,K] x [K] -> [M].
Tensor mv(const Tensor& matrix, const Tensor& vector, SourceLocation where = SourceLocation::current());
/// [B,M,K] x [B,K,N] -> [B,M,N].
Tensor bmm(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// The scalar product of two vectors.
Tensor dot(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// [M], [N] -> [M,N]: all products.
Tensor outer(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// The cross product along an axis of size 3; the others broadcast.
Tensor cross(const Tensor& a, const Tensor& b, int axis = -1, SourceLocation where = SourceLocation::current());
/// The Kronecker product: sizes multiply, axis by axis; missing axes are completed at the front.
Tensor kron(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// Contracts axes_a[i] of a with axes_b[i] of b; the result has the other axes of a, then those of b.
Tensor tensordot(const Tensor& a, const Tensor& b, const Axes& axes_a, const Axes& axes_b,
                 SourceLocation where = SourceLocation::current());
/// Contracts axis contract_a[i] of a with contract_b[i] of b; the result has the batch axes, then a's, then b's.
Tensor dot_general(const Tensor& a, const Tensor& b, const Axes& contract_a, const Axes& contract_b,
                   const Axes& batch_a = {}, const Axes& batch_b = {},
                   SourceLocation where = SourceLocation::current());

/// x w^T + b, with PyTorch's layout: x [...,I], weight [O,I] or [I], bias [O] or none -> [...,O] or [...].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              SourceLocation where = SourceLocation::current());
/// a^T weight[o] b + bias[o]: a [...,I], b [...,J], weight [O,I,J], bias [O] or none -> [...,O].
Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias = {},
                SourceLocation where = SourceLocation::current());
/// Einstein's summation: "bij,bjk->bik". Letters name axes; those that are not in the result are summed over; a letter
/// twice in one operand takes the diagonal; "..." stands for axes that broadcast from the right. Without "->" the
/// result has the ellipsis and the letters that occur once, in alphabetical order. Axes of size 1 stretch. Operands are
/// contracted from left to right.
Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands,
              SourceLocation where = SourceLocation::current());

}  // namespace pullback
