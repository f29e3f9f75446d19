// Runs a schedule without generated code: the kernels by kernel::interpret, in one thread. Slow; the oracle for
// generated code, and a way to run where no code can be generated.
#pragma once

#include <cstddef>
#include <span>

#include "compiler/ir/schedule.h"

namespace pullback::schedule {

/// `slots` are the base addresses of the module's slots, in order. Returns 0, or 1 + the number of the check that
/// failed (no state was written then).
int interpret(const Module& module, std::span<void* const> slots);

}  // namespace pullback::schedule
