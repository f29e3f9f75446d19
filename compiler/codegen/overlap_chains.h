// The order of instructions in long straight-line code: chains that wait for nothing of each other run side by side.
#pragma once

#include <llvm/IR/PassManager.h>

namespace pullback::codegen {

/// A core begins what is ready among the next sixty instructions or so. A function such as tanh is longer, each of its
/// instructions waits for the one before, and the next function stands behind it. So blocks longer than that are put
/// into the order of a list schedule: of what can begin, first what most of the work is still waiting for (the longest
/// path to the block's end). Only the order changes, and accesses to memory that may be the same keep theirs. Blocks
/// with a register tile, with calls or of thousands of instructions stay as they are. Functions with a block that was
/// ordered become kInOrder.
struct OverlapChainsPass : llvm::PassInfoMixin<OverlapChainsPass> {
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses);
};

}  // namespace pullback::codegen
