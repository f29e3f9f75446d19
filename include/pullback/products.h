// Matrix products and other contractions.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

/// By PyTorch's rank rules: vectors are completed by an axis that is dropped again; leading axes broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
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
