// What the translators of one LLVM module share: the target's attributes, constant tables, functions made once.
#pragma once

#include <llvm/IR/Module.h>

#include <map>
#include <unordered_map>
#include <utility>

#include "compiler/ir/kernel/function.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/support/target.h"

namespace pullback::codegen {

class ModuleContext {
 public:
  ModuleContext(llvm::Module& module, const Target& target) : module_(module), target_(target) {}

  llvm::Module& module() const { return module_; }
  llvm::LLVMContext& llvm() const { return module_.getContext(); }
  const Target& target() const { return target_; }

  /// A function of the module for the target, visible to the other functions of the module alone.
  llvm::Function* create_function(llvm::FunctionType* type, const std::string& name);
  /// The kernel function as machine code's own function over vectors of `width` lanes, translated at first use.
  llvm::Function* vector_function(const kernel::Function& function, int width);
  /// The table as a constant array.
  llvm::Constant* table(const kernel::Table& table);
  /// Zeros that a load may read instead of memory that it must not touch; kBlankBytes of them.
  llvm::Constant* blank();
  static constexpr int kBlankBytes = 1024;

 private:
  llvm::Module& module_;
  const Target& target_;
  std::map<std::pair<const kernel::Function*, int>, llvm::Function*> functions_;
  std::unordered_map<const kernel::Table*, llvm::Constant*> tables_;
  llvm::Constant* blank_ = nullptr;
};

}  // namespace pullback::codegen
