// Cases compiled and run: many of them make one function, so that the code generator runs once for all.
#pragma once

#include <string>
#include <vector>

#include "compiler/support/target.h"
#include "tests/oracle/cases.h"

namespace pullback::contract {

/// Compiles the cases together for each of the targets, and compares what the machine code gives: within the bounds of
/// tests/oracle/bounded.h with the reference evaluator, to the bit with the interpreter of the same schedule. "" when
/// all agree, else the first difference, with the case and the target.
std::string differences(const std::vector<Case>& cases, const std::vector<Target>& targets);

/// The host, and x86-64-v3 beside it: not only AVX-512 must work.
std::vector<Target> usual_targets();

}  // namespace pullback::contract
