// Which of LLVM's passes run. Its code generator is made for code that nobody wrote with care; what it would find out
// here is known already, and finding it out took a third of the compilation.
#pragma once

#include <llvm/ADT/StringSet.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/OptBisect.h>

#include "compiler/codegen/api.h"

namespace pullback::codegen {

/// A function with this attribute is scheduled as it is written: kernels with register tiles, whose order is what the
/// tile's shape was chosen for, and functions with long blocks that were put into order here (OverlapChainsPass). LLVM
/// schedules functions, so the kernel's other loops (those that pack operands, an epilogue's) stay as they are written,
/// too.
inline constexpr llvm::StringRef kInOrder = "pullback-in-order";

/// Installed in a context (LLVMContext::setOptPassGate), which it must outlive.
class PassGate final : public llvm::OptPassGate {
 public:
  /// Takes note of the module's functions that are kInOrder.
  void note_functions(const llvm::Module& module);

  bool isEnabled() const override { return true; }
  /// LLVM's names of passes and its descriptions of functions are not part of its interface: should they change, all
  /// passes run, and nothing but skipped() tells.
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef description) override;

  SkippedPasses& skipped() { return skipped_; }

 private:
  llvm::StringSet<> in_order_;  ///< as LLVM describes functions to the gate
  SkippedPasses skipped_;
};

/// LLVM's way to machine code without the passes that find nothing to do in what is written here, and without the
/// analyses that those alone ask for. The same holds of names as above.
class Pipeline final : public llvm::legacy::PassManager {
 public:
  explicit Pipeline(SkippedPasses& skipped) : skipped_(skipped) {}
  void add(llvm::Pass* pass) override;

 private:
  SkippedPasses& skipped_;
};

}  // namespace pullback::codegen
