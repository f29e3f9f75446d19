// What a compiled step costs, and where its time went.
#pragma once

#include <string>

#include <pullback/program.h>

#include "runtime/executable.h"

namespace pullback::ir {
class Function;
}
namespace pullback::schedule {
struct Module;
}

namespace pullback::driver {

/// `module` was lowered from the optimized `function`.
StepCost cost_of(const ir::Function& function, const schedule::Module& module);

/// A line for each kernel call, the slowest first.
std::string profile_table(const schedule::Module& module, const runtime::Profile& profile);

}  // namespace pullback::driver
