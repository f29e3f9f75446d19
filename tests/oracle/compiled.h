// Cases compiled and run: many of them make one function, so that the code generator runs once for all.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/support/target.h"
#include "tests/oracle/cases.h"

namespace pullback::contract {

/// Compiles the cases together for the target, and compares what the machine code gives: within the bounds of
/// tests/oracle/bounded.h with the reference evaluator, to the bit with the interpreter of the same schedule. "" when
/// all agree, else the first difference, with the case and the target.
std::string differences(const std::vector<Case>& cases, const Target& target);

/// The same for what `cases` makes of each op of the registry, several ops in a module.
using MakeCases = std::function<std::vector<Case>(const ops::OpDef&)>;
std::string differences_of_ops(const Target& target, const MakeCases& cases);

/// The cases of several vectors and a tail, of one element a row, and of none: all samples at fewer sizes.
std::vector<Case> at_few_sizes(std::vector<Case> cases);

/// x86-64-v3 where the host is more than that: not only AVX-512 must work.
std::vector<Target> narrow_targets();

}  // namespace pullback::contract
