// A schedule as one LLVM module: each kernel a function, and the entry that runs them.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "compiler/ir/schedule.h"
#include "compiler/support/target.h"

namespace pullback::codegen {

/// The symbol of the module's runtime::EntryFunction.
inline constexpr const char* kEntryName = "pullback_entry";

/// Throws InternalError when the module does not verify.
std::unique_ptr<llvm::Module> emit_module(llvm::LLVMContext& llvm, const schedule::Module& module, const Target& target,
                                          const llvm::TargetMachine& machine);

}  // namespace pullback::codegen
