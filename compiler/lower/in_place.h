// Lets a kernel write a result over an operand: two parameters that may share memory become one.
#pragma once

#include "compiler/ir/kernel/kernel.h"

namespace pullback::lower {

/// May the buffer `out` be the same memory as the buffer `in`? Yes when both have the same type, every element of `in`
/// is read only in the iteration that stores this very element of `out`, and before that store.
bool can_share(const kernel::Kernel& kernel, int in, int out);

/// Replaces `out` by `in`, which becomes inout, and removes `out`: positions above it move down by one.
void share(kernel::Kernel& kernel, int in, int out);

}  // namespace pullback::lower
