// From a function to something that runs: the stages in order.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <pullback/dim.h>
#include <pullback/program.h>

#include "runtime/executable.h"

namespace pullback::ir {
class Function;
}
namespace pullback::schedule {
struct Module;
}

namespace pullback::driver {

class FunctionSource;

/// What a function became on the way to its code.
struct Forms {
  /// Optimized; made again each time, since lowering uses it up and few ask.
  std::function<std::shared_ptr<const ir::Function>()> optimized;
  std::shared_ptr<const schedule::Module> module;  ///< null with the reference executor
};

/// A function compiled for one set of sizes.
struct Specialization {
  std::vector<runtime::ExternalSlot> slots;  ///< arguments in order, then results that update no state
  /// One step: a pointer for each slot. Throws Error when a check fails; no state was written then.
  std::function<void(std::span<void* const>)> run;

  /// Made at the first call where the code came from the cache on disk.
  std::function<const Forms&()> forms;
  std::vector<StageTime> times;
  /// The table of the kernels' times; null unless they are measured.
  std::function<std::string()> profile;
};

/// Finds the code in the cache on disk; or specializes, optimizes, lowers, generates code and keeps it, and prints each
/// stage that PULLBACK_DUMP names. With the reference executor it stops at the specialized function and evaluates that.
/// Throws Error where sizes don't fit or an op can't run here.
std::shared_ptr<const Specialization> compile(std::shared_ptr<const FunctionSource> source, const Bindings& bindings,
                                              const CompileOptions& options);
std::shared_ptr<const Specialization> compile(std::shared_ptr<const ir::Function> function, const Bindings& bindings,
                                              const CompileOptions& options);

/// LLVM IR and assembly of a compiled module.
struct CodeText {
  std::string llvm, assembly;
};
CodeText code_text(const schedule::Module& module, const CompileOptions& options);

/// The text of the module's kernels.
std::string kernel_text(const schedule::Module& module);

}  // namespace pullback::driver
