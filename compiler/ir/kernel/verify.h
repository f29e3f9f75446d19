// Checks every rule stated in kernel.h and function.h.
#pragma once

#include <string>

#include "compiler/ir/kernel/function.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// Operand counts and dtypes, definition before use, variables in scope, addresses within their buffers wherever the
/// ranges decide it, access modes, parallel loops at the top alone, what vector loops may hold and carry. Throws
/// InternalError naming `stage`, with the kernel printed.
void verify(const Kernel& kernel, const std::string& stage);
void verify(const Function& function, const std::string& stage);

}  // namespace pullback::kernel
