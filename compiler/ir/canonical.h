// A function as bytes that say all its code depends on, and nothing else: the key under which the code is kept.
#pragma once

#include <string>

#include "compiler/ir/graph.h"

namespace pullback::ir {

/// Two functions have the same bytes when they compute the same by the same ops, call their arguments and results the
/// same, and stop with the same messages. Names of other values and lines of other ops may differ. A function of
/// thousands of ops is written in less than a millisecond, at some ten bytes an op.
std::string canonical_bytes(const Function& function);

}  // namespace pullback::ir
