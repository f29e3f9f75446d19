// Runs kernel IR scalar by scalar: the definition of what generated code computes, bit for bit (NaN payloads apart).
// Constant folding and the tests of code generation use it.
#pragma once

#include <cstdint>
#include <span>

#include "compiler/ir/kernel/function.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// Runs the kernel on `parameters`, one pointer for each buffer that is not scratch, in order. Throws InternalError for
/// an address outside its buffer.
void interpret(const Kernel& kernel, std::span<void* const> parameters);
/// Only iterations begin..end of the kernel's parallel loop.
void interpret(const Kernel& kernel, std::span<void* const> parameters, std::int64_t begin, std::int64_t end);

/// A function applied to bit patterns (zero-extended); the result likewise.
std::uint64_t evaluate(const Function& function, std::span<const std::uint64_t> arguments);
/// One operation without memory (not index_value, load, lookup, call...). `from` is the operands' dtype (of the last
/// one for select), `to` the result's.
std::uint64_t evaluate(Opcode opcode, DType from, DType to, std::span<const std::uint64_t> operands);

}  // namespace pullback::kernel
