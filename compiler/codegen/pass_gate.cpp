#include "compiler/codegen/pass_gate.h"

namespace pullback::codegen {

void PassGate::note_functions(const llvm::Module& module) {
  for (const llvm::Function& function : module)
    if (function.hasFnAttribute(kInOrder)) in_order_.insert(("function (" + function.getName() + ")").str());
}

bool PassGate::shouldRunPass(llvm::StringRef pass, llvm::StringRef description) {
  // Addresses are written as few pointers with constant distances.
  if (pass == "Loop Strength Reduction") {
    ++skipped_.strength_reduction;
    return false;
  }
  // It looks at all pairs of accesses to memory, of which a tile has hundreds.
  if (pass == "Machine Instruction Scheduler" && in_order_.contains(description)) {
    ++skipped_.scheduling;
    return false;
  }
  return true;
}

}  // namespace pullback::codegen
