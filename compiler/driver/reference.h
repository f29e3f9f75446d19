// Running a function on the reference evaluator: slow, plain, the same interface as compiled code.
#pragma once

#include <memory>

#include "compiler/driver/compile.h"

namespace pullback {
class StageTimer;
}

namespace pullback::driver {

/// `specialized` has no symbols.
std::shared_ptr<const Specialization> evaluated(std::shared_ptr<const ir::Function> specialized,
                                                const StageTimer& timer);

}  // namespace pullback::driver
