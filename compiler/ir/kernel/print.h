// The text form of the kernel IR, for dumps, golden tests and error messages.
#pragma once

#include <string>

#include "compiler/ir/kernel/function.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// Deterministic: values are numbered in the order of their definition.
std::string print(const Kernel& kernel);
std::string print(const Function& function);
/// A constant as it is printed: "1.5", "-0.0", "nan", "7", "true"; floats by their shortest round-trip form.
std::string constant_text(DType dtype, std::uint64_t bits);

}  // namespace pullback::kernel
