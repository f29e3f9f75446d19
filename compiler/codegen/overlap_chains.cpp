#include "compiler/codegen/overlap_chains.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/MemoryLocation.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <vector>

#include "compiler/codegen/pass_gate.h"

namespace pullback::codegen {
namespace {

using llvm::Instruction;

/// About as many wait in a core's queues at once.
constexpr int kLookAhead = 64;
/// Longer blocks are left alone: all accesses to memory are compared with each other.
constexpr std::size_t kMostInstructions = 4096;
/// For constants and what an instruction needs besides its operands.
constexpr int kSpareRegisters = 4;

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
        case llvm::Intrinsic::masked_load:
          return 7;
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

/// Volatile and atomic accesses: they keep their order whatever they touch.
bool is_ordered(const Instruction& instruction) {
  return instruction.isAtomic() || instruction.isVolatile();
}

/// What an instruction must wait for, and who waits for it.
struct Node {
  Instruction* instruction = nullptr;
  int cycles = 0;                   ///< until its result is there
  int registers = 0;                ///< that its result fills: it becomes as many instructions
  int to_end = 0;                   ///< cycles of the longest path from here to the block's end
  int begin = 0;                    ///< the cycle in which what it reads is there, as far as it is known
  std::size_t missing = 0;          ///< of those before it that are not in the order yet
  std::vector<std::size_t> before;  ///< whose results it reads
  std::size_t unread = 0;           ///< readers of its result that are not in the order yet
  std::vector<std::size_t> after;   ///< that wait for it
};

class Block {
 public:
  Block(llvm::BasicBlock& block, unsigned register_bits) : block_(block), registers_(register_bits > 256 ? 32 : 16) {
    const llvm::DataLayout& layout = block.getModule()->getDataLayout();
    for (Instruction& instruction : block) {
      if (llvm::isa<llvm::PHINode>(instruction) || instruction.isTerminator()) continue;
      llvm::Type* type = instruction.getType();
      const std::uint64_t bits = type->isVoidTy() ? 1 : layout.getTypeSizeInBits(type).getFixedValue();
      const int cycles = latency(instruction);
      nodes_.push_back(
          {&instruction, cycles, cycles == 0 ? 0 : static_cast<int>(llvm::divideCeil(bits, register_bits))});
      length_ += nodes_.back().registers;
    }
  }

  /// Tiles have their order, which they keep by empty assembly; a call leaves no vector in its register.
  bool worth_ordering() const {
    if (length_ <= kLookAhead || nodes_.size() > kMostInstructions) return false;
    return std::none_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
      const auto* call = llvm::dyn_cast<llvm::CallInst>(node.instruction);
      return call && call->getIntrinsicID() == llvm::Intrinsic::not_intrinsic;
    });
  }

  void order(llvm::AAResults& aliases) {
    connect_values();
    connect_memory(aliases);
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      for (const std::size_t reader : nodes_[i].after)
        nodes_[i].to_end = std::max(nodes_[i].to_end, nodes_[reader].to_end);
      nodes_[i].to_end += nodes_[i].cycles;
    }
    for (const std::size_t i : list_schedule()) nodes_[i].instruction->moveBefore(block_.getTerminator());
  }

 private:
  void wait(std::size_t reader, std::size_t read) {
    nodes_[read].after.push_back(reader);
    ++nodes_[reader].missing;
  }

  void connect_values() {
    llvm::DenseMap<const llvm::Value*, std::size_t> position;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (const llvm::Value* operand : nodes_[i].instruction->operands()) {
        const auto found = position.find(operand);
        if (found == position.end()) continue;
        const std::size_t read = found->second;
        if (std::find(nodes_[i].before.begin(), nodes_[i].before.end(), read) != nodes_[i].before.end()) continue;
        wait(i, read);
        nodes_[i].before.push_back(read);
        ++nodes_[read].unread;
      }
      position[nodes_[i].instruction] = i;
    }
  }

  void connect_memory(llvm::AAResults& aliases) {
    std::vector<std::size_t> accesses;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Instruction& later = *nodes_[i].instruction;
      if (!later.mayReadOrWriteMemory() && !later.mayHaveSideEffects()) continue;
      for (const std::size_t before : accesses) {
        const Instruction& earlier = *nodes_[before].instruction;
        if (!later.mayWriteToMemory() && !earlier.mayWriteToMemory()) continue;
        const bool ordered = is_ordered(earlier) || is_ordered(later);
        const auto place = llvm::MemoryLocation::getOrNone(&later), other = llvm::MemoryLocation::getOrNone(&earlier);
        if (ordered || !place || !other || !aliases.isNoAlias(*place, *other)) wait(i, before);
      }
      accesses.push_back(i);
    }
  }

  /// Registers that are filled more after instruction i than before it.
  int growth(std::size_t i) const {
    int registers = nodes_[i].unread == 0 ? 0 : nodes_[i].registers;
    for (const std::size_t read : nodes_[i].before)
      if (nodes_[read].unread == 1) registers -= nodes_[read].registers;
    return registers;
  }

  /// One instruction of the machine a cycle: chains are interleaved no more closely than a core that begins two or
  /// three needs them. While registers are short, what frees some goes first.
  std::vector<std::size_t> list_schedule() {
    std::vector<std::size_t> ready, order;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].missing == 0) ready.push_back(i);
    const int most = registers_ - kSpareRegisters;
    int cycle = 0, filled = 0;
    while (!ready.empty()) {
      const auto better = [&](std::size_t a, std::size_t b) {
        const bool tight = filled >= most;
        const auto rank = [&](std::size_t i) {
          const int late = std::max(0, nodes_[i].begin - cycle);
          return std::tuple(tight ? growth(i) : 0, late, -nodes_[i].to_end, i);
        };
        return rank(a) < rank(b);
      };
      const auto best = std::min_element(ready.begin(), ready.end(), better);
      const std::size_t i = *best;
      *best = ready.back();
      ready.pop_back();
      order.push_back(i);
      filled += growth(i);
      for (const std::size_t read : nodes_[i].before) --nodes_[read].unread;
      cycle = std::max(cycle, nodes_[i].begin);
      for (const std::size_t reader : nodes_[i].after) {
        nodes_[reader].begin = std::max(nodes_[reader].begin, cycle + nodes_[i].cycles);
        if (--nodes_[reader].missing == 0) ready.push_back(reader);
      }
      cycle += nodes_[i].registers;
    }
    return order;
  }

  llvm::BasicBlock& block_;
  const int registers_;  ///< that the machine has
  std::vector<Node> nodes_;
  int length_ = 0;
};

}  // namespace

llvm::PreservedAnalyses OverlapChainsPass::run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses) {
  const auto register_bits = static_cast<unsigned>(function.getFnAttributeAsParsedInteger("prefer-vector-width", 128));
  bool changed = false;
  for (llvm::BasicBlock& block : function) {
    Block chains(block, register_bits);
    if (!chains.worth_ordering()) continue;
    chains.order(analyses.getResult<llvm::AAManager>(function));
    changed = true;
  }
  if (!changed) return llvm::PreservedAnalyses::all();
  function.addFnAttr(kInOrder);
  llvm::PreservedAnalyses preserved;
  preserved.preserveSet<llvm::CFGAnalyses>();
  return preserved;
}

}  // namespace pullback::codegen
