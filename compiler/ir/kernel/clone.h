// Copies of kernels, to be changed apart from the original.
#pragma once

#include <memory>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// The same kernel over values and variables of its own; names and ids stay.
std::shared_ptr<Kernel> clone(const Kernel& kernel);

}  // namespace pullback::kernel
