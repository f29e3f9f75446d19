// A schedule as LLVM modules: each kernel a function, and the entry that runs them.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <vector>

#include "compiler/ir/schedule.h"
#include "compiler/support/target.h"

namespace pullback::codegen {

/// The symbol of the module's runtime::EntryFunction.
inline constexpr const char* kEntryName = "pullback_entry";

/// What one LLVM module holds of a schedule. Parts are compiled side by side and linked; what a part does not define it
/// declares.
struct Part {
  std::vector<bool> kernels;  ///< which of the schedule's kernels
  bool entry = true;
  bool profile = false;  ///< the entry counts the time of each call
};
/// Deals the kernels to parts, which at most `threads` threads compile: first large ones, then perhaps as many small
/// ones. The entry is in the first.
std::vector<Part> split(const schedule::Module& module, const Target& target, std::size_t threads);

/// Throws InternalError when the module does not verify.
std::unique_ptr<llvm::Module> emit_module(llvm::LLVMContext& llvm, const schedule::Module& module, const Part& part,
                                          const Target& target, const llvm::TargetMachine& machine);

}  // namespace pullback::codegen
