// Cases compiled and run: many of them make one function, so that the code generator runs once for all.
#pragma once

#include <vector>

#include "compiler/ir/schedule.h"
#include "compiler/support/target.h"
#include "tests/contract/cases.h"

namespace pullback::contract {

/// One function that computes all the cases; composites are inlined.
std::unique_ptr<ir::Function> joined(const std::vector<Case>& cases);

/// The function's results by machine code for the target, and by the interpreter of the same schedule.
struct Results {
  std::vector<ir::Literal> compiled, interpreted;
};
/// Parallel loops run in pieces, the last one first. The target must be one that runs here.
Results run(const ir::Function& function, const std::vector<Case>& cases, const Target& target);

}  // namespace pullback::contract
