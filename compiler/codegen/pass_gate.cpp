#include "compiler/codegen/pass_gate.h"

#include <llvm/Pass.h>

#include <algorithm>
#include <array>
#include <memory>

namespace pullback::codegen {
namespace {

// Addresses are written as few pointers with constant distances.
constexpr llvm::StringRef kStrengthReduction = "Loop Strength Reduction";

// What generated code has nothing for: calls of C's library, atomics, exceptions, wide integers, debug values; and what
// prepares strength reduction.
constexpr std::array<llvm::StringRef, 11> kNothingToDo = {
    "Canonicalize Freeze Instructions in Loops",
    "Constant Hoisting",
    "Exception handling preparation",
    "Expand Atomic instructions",
    "Expand large div/rem",
    "Expand large fp convert",
    "Expand memcmp() to load/stores",
    "Live DEBUG_VALUE analysis",
    "Merge contiguous icmps into a memcmp",
    "Partially inline calls to library functions",
    "Replace intrinsics with calls to vector library",
};

}  // namespace

void PassGate::note_functions(const llvm::Module& module) {
  for (const llvm::Function& function : module)
    if (function.hasFnAttribute(kInOrder)) in_order_.insert(("function (" + function.getName() + ")").str());
}

bool PassGate::shouldRunPass(llvm::StringRef pass, llvm::StringRef description) {
  // It looks at all pairs of accesses to memory, of which a tile has hundreds.
  if (pass == "Machine Instruction Scheduler" && in_order_.contains(description)) {
    ++skipped_.scheduling;
    return false;
  }
  return true;
}

void Pipeline::add(llvm::Pass* pass) {
  const llvm::StringRef name = pass->getPassName();
  const bool reduces_strength = name == kStrengthReduction;
  if (reduces_strength) ++skipped_.strength_reduction;
  if (reduces_strength || std::find(kNothingToDo.begin(), kNothingToDo.end(), name) != kNothingToDo.end())
    delete pass;
  else
    PassManager::add(pass);
}

}  // namespace pullback::codegen
