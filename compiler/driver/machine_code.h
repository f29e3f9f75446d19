// The last stage: a schedule's machine code, compiled or found in the cache on disk.
#pragma once

#include <string>

#include "compiler/codegen/api.h"

namespace pullback {
class StageTimer;
struct Environment;
}  // namespace pullback

namespace pullback::driver {

/// Looks the module up in the cache that the environment names, unless its texts are wanted or the target does not run
/// here; otherwise generates code and keeps it. Times are added under "cache" and "codegen".
codegen::Compiled machine_code(const schedule::Module& module, const codegen::Options& options,
                               const Environment& environment, StageTimer& timer);

/// Which compiler this is: changes with its files.
std::string compiler_fingerprint();

}  // namespace pullback::driver
