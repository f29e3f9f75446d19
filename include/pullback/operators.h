// Operators on tensors. Operands broadcast by NumPy's rules; numbers take the tensor's dtype.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

/// Each throws Error when the dtypes differ or the shapes don't broadcast.
Tensor operator+(const Operand& a, const Operand& b);
Tensor operator-(const Operand& a, const Operand& b);
Tensor operator*(const Operand& a, const Operand& b);
Tensor operator/(const Operand& a, const Operand& b);
/// The remainder of truncated division; it has the sign of `a`.
Tensor operator%(const Operand& a, const Operand& b);
Tensor operator-(const Operand& a);

/// Comparisons give bool tensors. There is no ==: it is named equal(), so that Tensor is never compared by mistake.
Tensor operator<(const Operand& a, const Operand& b);
Tensor operator<=(const Operand& a, const Operand& b);
Tensor operator>(const Operand& a, const Operand& b);
Tensor operator>=(const Operand& a, const Operand& b);

/// Logical on bool, bitwise on integers.
Tensor operator&(const Operand& a, const Operand& b);
Tensor operator|(const Operand& a, const Operand& b);
Tensor operator^(const Operand& a, const Operand& b);
Tensor operator!(const Operand& a);
Tensor operator~(const Operand& a);
Tensor operator<<(const Operand& a, const Operand& b);
Tensor operator>>(const Operand& a, const Operand& b);

}  // namespace pullback
