#include "compiler/codegen/overlap_chains.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>

#include <algorithm>
#include <cstddef>
#include <queue>
#include <tuple>
#include <vector>

#include "compiler/codegen/pass_gate.h"

namespace pullback::codegen {
namespace {

using llvm::Instruction;

/// About as many wait in a core's queues at once.
constexpr int kLookAhead = 64;

/// Cycles from an instruction to those that read it, about what Zen 3 to 5 and Intel's cores of their time take. 0: no
/// instruction of the machine, or part of one.
int latency(const Instruction& instruction) {
  switch (instruction.getOpcode()) {
    case Instruction::GetElementPtr:
    case Instruction::BitCast:
      return 0;
    case Instruction::Load:
      return 7;
    case Instruction::FAdd:
    case Instruction::FSub:
    case Instruction::FMul:
      return 3;
    case Instruction::FDiv:
      return 11;
    case Instruction::Mul:
    case Instruction::FPToSI:
    case Instruction::SIToFP:
    case Instruction::FPExt:
    case Instruction::FPTrunc:
      return 4;
    case Instruction::Call:
      switch (llvm::cast<llvm::CallBase>(instruction).getIntrinsicID()) {
        case llvm::Intrinsic::fma:
          return 4;
        case llvm::Intrinsic::sqrt:
          return 14;
        default:
          return 1;
      }
    default:
      return 1;
  }
}

/// What an instruction must wait for, and who waits for it.
struct Node {
  Instruction* instruction = nullptr;
  int cycles = 0;    ///< until its result is there
  int registers = 0;  ///< that its result fills: it becomes as many instructions
  int to_end = 0;    ///< cycles of the longest path from here to the block's end
  int begin = 0;     ///< the cycle in which what it reads is there, as far as it is known
  std::size_t missing = 0;
  std::vector<std::size_t> readers;
};

class Block {
 public:
  Block(llvm::BasicBlock& block, unsigned register_bits) : block_(block) {
    const llvm::DataLayout& layout = block.getModule()->getDataLayout();
    for (Instruction& instruction : block) {
      if (llvm::isa<llvm::PHINode>(instruction) || instruction.isTerminator()) continue;
      llvm::Type* type = instruction.getType();
      const std::uint64_t bits = type->isVoidTy() ? 1 : layout.getTypeSizeInBits(type).getFixedValue();
      const int cycles = latency(instruction);
      nodes_.push_back({&instruction, cycles, cycles == 0 ? 0 : static_cast<int>(llvm::divideCeil(bits, register_bits))});
      length_ += nodes_.back().registers;
    }
  }

  bool worth_ordering() const { return length_ > kLookAhead; }

  void order() {
    connect();
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      for (const std::size_t reader : nodes_[i].readers)
        nodes_[i].to_end = std::max(nodes_[i].to_end, nodes_[reader].to_end);
      nodes_[i].to_end += nodes_[i].cycles;
    }
    for (const std::size_t i : list_schedule()) nodes_[i].instruction->moveBefore(block_.getTerminator());
  }

 private:
  void connect() {
    llvm::DenseMap<const Instruction*, std::size_t> position;
    std::size_t last_write = nodes_.size();
    std::vector<std::size_t> reads;  // since the last write
    const auto wait = [&](std::size_t reader, std::size_t read) {
      nodes_[read].readers.push_back(reader);
      ++nodes_[reader].missing;
    };
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Instruction& instruction = *nodes_[i].instruction;
      position[&instruction] = i;
      for (const llvm::Value* operand : instruction.operands())
        if (const auto* read = llvm::dyn_cast<Instruction>(operand))
          if (const auto found = position.find(read); found != position.end()) wait(i, found->second);
      if (!instruction.mayReadOrWriteMemory() && !instruction.mayHaveSideEffects()) continue;
      if (last_write < nodes_.size()) wait(i, last_write);
      if (instruction.mayWriteToMemory() || instruction.mayHaveSideEffects()) {
        for (const std::size_t read : reads) wait(i, read);
        reads.clear();
        last_write = i;
      } else {
        reads.push_back(i);
      }
    }
  }

  /// One instruction of the machine a cycle: chains are interleaved no more closely than a core that begins two or three
  /// needs them, and few values are kept for long.
  std::vector<std::size_t> list_schedule() {
    // The longest path first, then the order in which they were written.
    const auto later = [&](std::size_t a, std::size_t b) {
      return std::tuple(-nodes_[a].to_end, a) > std::tuple(-nodes_[b].to_end, b);
    };
    const auto begins_later = [&](std::size_t a, std::size_t b) {
      return std::tuple(nodes_[a].begin, a) > std::tuple(nodes_[b].begin, b);
    };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> ready(later);
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(begins_later)> waiting(begins_later);
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].missing == 0) ready.push(i);
    std::vector<std::size_t> order;
    int cycle = 0;
    while (!ready.empty() || !waiting.empty()) {
      if (ready.empty()) cycle = std::max(cycle, nodes_[waiting.top()].begin);
      while (!waiting.empty() && nodes_[waiting.top()].begin <= cycle) {
        ready.push(waiting.top());
        waiting.pop();
      }
      const std::size_t i = ready.top();
      ready.pop();
      order.push_back(i);
      for (const std::size_t reader : nodes_[i].readers) {
        nodes_[reader].begin = std::max(nodes_[reader].begin, cycle + nodes_[i].cycles);
        if (--nodes_[reader].missing == 0) waiting.push(reader);
      }
      cycle += nodes_[i].registers;
    }
    return order;
  }

  llvm::BasicBlock& block_;
  std::vector<Node> nodes_;
  int length_ = 0;
};

}  // namespace

llvm::PreservedAnalyses OverlapChainsPass::run(llvm::Function& function, llvm::FunctionAnalysisManager&) {
  if (function.hasFnAttribute(kInOrder)) return llvm::PreservedAnalyses::all();
  const auto register_bits =
      static_cast<unsigned>(function.getFnAttributeAsParsedInteger("prefer-vector-width", 128));
  for (llvm::BasicBlock& block : function)
    if (Block chains(block, register_bits); chains.worth_ordering()) chains.order();
  llvm::PreservedAnalyses preserved;
  preserved.preserveSet<llvm::CFGAnalyses>();
  return preserved;
}

}  // namespace pullback::codegen
