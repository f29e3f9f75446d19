// A run of kernel calls as constants for pullback_run_calls (runtime/abi.h).
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "compiler/ir/schedule.h"

namespace pullback::codegen {

class CallTable {
 public:
  /// Adds a call of `function`; `end` and `is_parallel` as in runtime::TableCall.
  void add(const schedule::Module& module, const schedule::KernelCall& call, llvm::Function* function, std::int64_t end,
           bool is_parallel);

  /// Writes the call that runs them all.
  void emit(llvm::IRBuilder<>& b, llvm::Value* context, llvm::Value* slots) const;

 private:
  std::uint64_t number_of(llvm::Function* kernel);

  std::vector<std::uint64_t> calls_, arguments_;  ///< as they lie in memory, two words each
  std::vector<llvm::Function*> kernels_;          ///< each once
  std::unordered_map<llvm::Function*, std::uint64_t> numbers_;
};

/// Can the call be in a table?
bool fits_table(const schedule::KernelCall& call);

}  // namespace pullback::codegen
