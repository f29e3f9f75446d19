// Convolutions in the form that the contraction generator reads in place: without padding, in memory along vectors.
#pragma once

namespace pullback::ir {
class Function;
}

namespace pullback::lower {

/// Pads the operands of convolutions beforehand, once, and lays their kernels out along the output channels where these
/// are what vectors should run over. `vector_bytes` is the width of a register. With `winograd`, convolutions with
/// 3x3 kernels, and the gradients of these, become ones by fewer products where that is faster. Returns whether
/// anything changed.
bool prepare_convolutions(ir::Function& function, int vector_bytes, bool winograd);

}  // namespace pullback::lower
