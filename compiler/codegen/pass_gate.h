// Which of LLVM's passes run. Its code generator is made for code that nobody wrote with care; what it would find out
// here is known already, and finding it out took a third of the compilation.
#pragma once

#include <llvm/ADT/StringSet.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/OptBisect.h>

namespace pullback::codegen {

/// A function with this attribute is scheduled as it is written: register tiles, whose order is what the tile's shape
/// was chosen for.
inline constexpr llvm::StringRef kInOrder = "pullback-in-order";

/// Installed in a context (LLVMContext::setOptPassGate), which it must outlive.
class PassGate final : public llvm::OptPassGate {
 public:
  /// Takes note of the module's functions that are kInOrder.
  void read(const llvm::Module& module);

  bool isEnabled() const override { return true; }
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef description) override;

 private:
  llvm::StringSet<> in_order_;  ///< as LLVM describes functions to the gate
};

}  // namespace pullback::codegen
