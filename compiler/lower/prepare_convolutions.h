// Convolutions in the form that the contraction generator reads in place: without padding, in memory along vectors.
#pragma once

namespace pullback::ir {
class Function;
}

namespace pullback::lower {

/// Pads the operands of convolutions beforehand, once, and lays their kernels out along the output channels where these
/// are what vectors should run over. `vector_bytes` is the width of a register. Returns whether anything changed.
bool prepare_convolutions(ir::Function& function, int vector_bytes);

}  // namespace pullback::lower
