// LLVM modules to machine code: the target machine, a short pipeline, objects, and linking them into this process.
#pragma once

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <string>

#include "compiler/codegen/api.h"
#include "compiler/support/target.h"
#include "runtime/abi.h"

namespace pullback::codegen {

/// Throws InternalError when LLVM does not know the target.
std::unique_ptr<llvm::TargetMachine> create_machine(const Target& target);

/// What pays for its time: the IR is already in good shape (PERFORMANCE: the default pipeline costs 10 times more
/// and gains nothing).
void optimize(llvm::Module& module, llvm::TargetMachine& machine);

/// An ELF object; `skipped` counts what LLVM would have done besides. emit_assembly: its text, of a module that is left
/// unchanged.
llvm::SmallVector<char, 0> emit_object(llvm::Module& module, llvm::TargetMachine& machine, SkippedPasses& skipped);
std::string emit_assembly(const llvm::Module& module, llvm::TargetMachine& machine);

struct Linked {
  runtime::EntryFunction entry = nullptr;
  std::shared_ptr<void> code;
};
/// Loads the objects, which may refer to each other. Throws InternalError when a symbol is missing.
Linked link(llvm::ArrayRef<llvm::ArrayRef<char>> objects);

}  // namespace pullback::codegen
