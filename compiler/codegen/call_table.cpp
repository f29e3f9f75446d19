#include "compiler/codegen/call_table.h"

#include <llvm/IR/Module.h>

#include "runtime/abi.h"

namespace pullback::codegen {
namespace {

/// The slot of the entry that the buffer's offset counts from.
std::uint64_t slot_of(const schedule::Buffer& buffer) {
  switch (buffer.placement) {
    case schedule::Placement::arena:
      return 0;
    case schedule::Placement::constant:
      return 1;
    case schedule::Placement::external:
      break;
  }
  return 2 + buffer.slot;
}

llvm::Constant* constant_words(llvm::IRBuilder<>& b, const std::vector<std::uint64_t>& words) {
  llvm::Module& module = *b.GetInsertBlock()->getModule();
  llvm::Constant* contents = llvm::ConstantDataArray::get(b.getContext(), words);
  return new llvm::GlobalVariable(module, contents->getType(), /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage,
                                  contents, "calls");
}

}  // namespace

bool fits_table(const schedule::KernelCall& call) {
  return call.arguments.size() <= runtime::kTableArguments;
}

std::uint64_t CallTable::number_of(llvm::Function* kernel) {
  const auto [entry, fresh] = numbers_.try_emplace(kernel, kernels_.size());
  if (fresh) kernels_.push_back(kernel);
  return entry->second;
}

void CallTable::add(const schedule::Module& module, const schedule::KernelCall& call, llvm::Function* function,
                    std::int64_t end, bool is_parallel) {
  const std::uint64_t count = call.arguments.size();
  calls_.push_back(number_of(function) | count << 32 | std::uint64_t{is_parallel} << 48);
  calls_.push_back(static_cast<std::uint64_t>(end));
  for (const std::size_t argument : call.arguments) {
    const schedule::Buffer& buffer = module.buffers[argument];
    arguments_.push_back(slot_of(buffer));
    arguments_.push_back(static_cast<std::uint64_t>(buffer.offset));
  }
}

void CallTable::emit(llvm::IRBuilder<>& b, llvm::Value* context, llvm::Value* slots) const {
  // Addresses in constants would depend on where the code lies: they are gathered when it runs.
  llvm::BasicBlock& first = b.GetInsertBlock()->getParent()->getEntryBlock();
  llvm::Value* kernels =
      llvm::IRBuilder<>(&first, first.begin()).CreateAlloca(llvm::ArrayType::get(b.getPtrTy(), kernels_.size()));
  for (std::size_t i = 0; i < kernels_.size(); ++i)
    b.CreateStore(kernels_[i], b.CreateConstGEP1_64(b.getPtrTy(), kernels, i));
  llvm::Module& module = *b.GetInsertBlock()->getModule();
  auto* type = llvm::FunctionType::get(
      b.getVoidTy(), {b.getPtrTy(), b.getPtrTy(), b.getPtrTy(), b.getInt64Ty(), b.getPtrTy(), b.getPtrTy()}, false);
  b.CreateCall(module.getOrInsertFunction("pullback_run_calls", type),
               {context, slots, constant_words(b, calls_), b.getInt64(calls_.size() / 2), constant_words(b, arguments_),
                kernels});
}

}  // namespace pullback::codegen
