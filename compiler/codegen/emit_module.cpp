#include "compiler/codegen/emit_module.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <span>
#include <vector>

#include <pullback/error.h>

#include "compiler/codegen/call_table.h"
#include "compiler/codegen/module_context.h"
#include "compiler/codegen/translator.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::codegen {
namespace {

using Steps = std::span<const schedule::Step>;

/// As many calls one after the other become a table; fewer have code of their own, which is faster by some nanoseconds
/// each.
constexpr std::size_t kWorthATable = 24;

/// The calls with which the steps begin.
std::size_t calls_in_front(Steps steps) {
  const auto other = std::find_if(steps.begin(), steps.end(), [](const schedule::Step& step) {
    const auto* call = std::get_if<schedule::KernelCall>(&step.action);
    return !call || !fits_table(*call);
  });
  return static_cast<std::size_t>(other - steps.begin());
}

/// Calls `table` with each run of steps that becomes a table, and `others` with what lies between.
template <class Table, class Others>
void cut_entry(Steps steps, const Table& table, const Others& others) {
  while (!steps.empty()) {
    const std::size_t calls = calls_in_front(steps);
    const Steps front = steps.first(std::max<std::size_t>(calls, 1));
    if (calls >= kWorthATable)
      table(front);
    else
      others(front);
    steps = steps.subspan(front.size());
  }
}

class ModuleEmitter {
 public:
  ModuleEmitter(llvm::LLVMContext& llvm, llvm::Module& out, const schedule::Module& schedule, const Part& part,
                const Target& target)
      : context_(out, target),
        schedule_(schedule),
        part_(part),
        trips_(schedule::trips_of(schedule)),
        b_(llvm),
        counters_(schedule.loops) {}

  void run() {
    shared_.resize(schedule_.kernels.size());
    for (std::size_t k = 0; k < schedule_.kernels.size(); ++k) shared_[k].resize(schedule_.kernels[k]->buffers.size());
    find_shared_parameters(schedule_.body);
    for (std::size_t k = 0; k < schedule_.kernels.size(); ++k)
      if (part_.kernels[k] || part_.entry) emit_kernel(k);
    if (part_.entry) emit_entry();
  }

 private:
  struct KernelFunctions {
    llvm::Function* direct = nullptr;    ///< (parameters..., begin, end, scratch)
    llvm::Function* indirect = nullptr;  ///< runtime::KernelFunction; only of parallel kernels
  };

  /// Parameters that some call binds to the same memory as another one: those may not be noalias.
  void find_shared_parameters(const std::vector<schedule::Step>& steps) {
    for (const schedule::Step& step : steps) {
      if (const auto* branch = std::get_if<schedule::Branch>(&step.action)) {
        find_shared_parameters(branch->then_steps);
        find_shared_parameters(branch->else_steps);
      }
      if (const auto* loop = std::get_if<schedule::Loop>(&step.action)) {
        find_shared_parameters(loop->condition);
        find_shared_parameters(loop->body);
      }
      const auto* call = std::get_if<schedule::KernelCall>(&step.action);
      if (!call) continue;
      for (std::size_t i = 0; i < call->arguments.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (schedule::overlap(schedule_.buffers[call->arguments[i]], schedule_.buffers[call->arguments[j]], trips_))
            shared_[call->kernel][i] = shared_[call->kernel][j] = true;
    }
  }

  void emit_kernel(std::size_t position) {
    const kernel::Kernel& kernel = *schedule_.kernels[position];
    const std::string name = "kernel" + std::to_string(position) + "." + kernel.name;
    std::vector<llvm::Type*> types;
    std::vector<const kernel::Buffer*> parameters;
    for (const kernel::Buffer& buffer : kernel.buffers)
      if (buffer.access != kernel::Access::scratch) parameters.push_back(&buffer);
    types.assign(parameters.size(), b_.getPtrTy());
    types.insert(types.end(), {b_.getInt64Ty(), b_.getInt64Ty(), b_.getPtrTy()});
    llvm::Function* direct = context_.create_function(llvm::FunctionType::get(b_.getVoidTy(), types, false), name);
    for (unsigned i = 0; i < parameters.size(); ++i) {
      direct->getArg(i)->setName(parameters[i]->name);
      direct->addParamAttr(i, llvm::Attribute::NoCapture);
      if (parameters[i]->access == kernel::Access::in) direct->addParamAttr(i, llvm::Attribute::ReadOnly);
      if (!shared_[position][i]) direct->addParamAttr(i, llvm::Attribute::NoAlias);
    }
    const auto first = static_cast<unsigned>(parameters.size());
    direct->getArg(first)->setName("begin");
    direct->getArg(first + 1)->setName("end");
    direct->getArg(first + 2)->setName("scratch");
    direct->addParamAttr(first + 2, llvm::Attribute::NoAlias);
    direct->addParamAttr(first + 2, llvm::Attribute::getWithAlignment(context_.llvm(), llvm::Align(64)));
    if (part_.kernels[position]) Translator(context_, direct).translate_kernel(kernel);
    // The entry's part: every kernel has its place in functions_ there.
    functions_.push_back(
        {direct, part_.entry && kernel.parallel_loop() ? emit_indirect(direct, name + ".parallel") : nullptr});
  }

  llvm::Function* emit_indirect(llvm::Function* direct, const std::string& name) {
    auto* type = llvm::FunctionType::get(b_.getVoidTy(),
                                         {b_.getPtrTy(), b_.getInt64Ty(), b_.getInt64Ty(), b_.getPtrTy()}, false);
    llvm::Function* indirect = context_.create_function(type, name);
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_.llvm(), "entry", indirect));
    std::vector<llvm::Value*> arguments;
    for (unsigned i = 0; i + 3 < direct->arg_size(); ++i)
      arguments.push_back(b_.CreateLoad(b_.getPtrTy(), b_.CreateConstGEP1_64(b_.getPtrTy(), indirect->getArg(0), i)));
    for (unsigned i = 1; i < 4; ++i) arguments.push_back(indirect->getArg(i));
    b_.CreateCall(direct, arguments);
    b_.CreateRetVoid();
    return indirect;
  }

  /// The function that steps are written into, and what it loads first.
  struct Caller {
    llvm::Function* function = nullptr;  ///< (context, slots)
    llvm::Value *arguments = nullptr, *parallel_for = nullptr, *scratch = nullptr;
    llvm::Value *arena = nullptr, *constants = nullptr;
  };

  void open_entry(llvm::Function* function) {
    caller_.function = function;
    function->getArg(0)->setName("context");
    function->getArg(1)->setName("slots");
    b_.SetInsertPoint(llvm::BasicBlock::Create(context_.llvm(), "entry", function));
    std::size_t longest = 1;
    for (const auto& kernel : schedule_.kernels) longest = std::max(longest, kernel->buffers.size());
    llvm::Value* context = function->getArg(0);
    caller_.arguments = b_.CreateAlloca(llvm::ArrayType::get(b_.getPtrTy(), longest));
    caller_.parallel_for = b_.CreateLoad(b_.getPtrTy(), context, "parallel_for");
    caller_.scratch = b_.CreateLoad(b_.getPtrTy(), b_.CreateConstGEP1_64(b_.getInt8Ty(), context, 8), "scratch");
    caller_.arena = slot(0);
    caller_.constants = slot(1);
  }

  void emit_entry() {
    llvm::Function* function = context_.create_function(
        llvm::FunctionType::get(b_.getInt32Ty(), {b_.getPtrTy(), b_.getPtrTy()}, false), kEntryName);
    function->setVisibility(llvm::GlobalValue::DefaultVisibility);
    open_entry(function);
    if (part_.profile) {
      profile_ = slot(2 + schedule_.slots.size());
      last_tick_ = b_.CreateAlloca(b_.getInt64Ty());
      b_.CreateStore(tick(), last_tick_);
    }
    const auto write = [&](Steps steps) { emit_steps(steps); };
    if (part_.profile)
      write(schedule_.body);
    else
      cut_entry(schedule_.body, [&](Steps steps) { emit_table(steps); }, write);
    b_.CreateRet(b_.getInt32(0));
  }

  void emit_table(Steps steps) {
    CallTable table;
    for (const schedule::Step& step : steps) {
      const auto& call = std::get<schedule::KernelCall>(step.action);
      const std::int64_t extent = parallel_extent(call);
      const KernelFunctions& functions = functions_[call.kernel];
      table.add(schedule_, call, extent > 1 ? functions.indirect : functions.direct, extent, extent > 1);
    }
    table.emit(b_, caller_.function->getArg(0), caller_.function->getArg(1));
  }

  /// Of the call's outermost parallel loop; 1 when it has none.
  std::int64_t parallel_extent(const schedule::KernelCall& call) const {
    const kernel::Loop* parallel = schedule_.kernels[call.kernel]->parallel_loop();
    return parallel ? parallel->variable.extent : 1;
  }

  llvm::Value* slot(std::size_t number) {
    return b_.CreateLoad(b_.getPtrTy(), b_.CreateConstGEP1_64(b_.getPtrTy(), caller_.function->getArg(1), number));
  }

  llvm::Value* tick() { return b_.CreateIntrinsic(llvm::Intrinsic::readcyclecounter, {}, {}); }

  /// Adds the time since the last call to the record of this one, in the order of schedule::calls_of.
  void count_call() {
    if (!part_.profile) return;
    const auto add = [&](std::uint64_t field, llvm::Value* amount) {
      llvm::Value* counter = b_.CreateConstGEP1_64(b_.getInt64Ty(), profile_, 2 * calls_ + field);
      b_.CreateStore(b_.CreateAdd(b_.CreateLoad(b_.getInt64Ty(), counter), amount), counter);
    };
    llvm::Value* now = tick();
    add(0, b_.CreateSub(now, b_.CreateLoad(b_.getInt64Ty(), last_tick_)));
    add(1, b_.getInt64(1));
    b_.CreateStore(now, last_tick_);
    ++calls_;
  }

  void emit_steps(Steps steps) {
    for (const schedule::Step& step : steps) {
      if (const auto* call = std::get_if<schedule::KernelCall>(&step.action)) {
        emit_call(*call);
        count_call();
      } else if (const auto* check = std::get_if<schedule::Check>(&step.action)) {
        emit_check(*check);
      } else if (const auto* branch = std::get_if<schedule::Branch>(&step.action)) {
        emit_branch(*branch);
      } else {
        emit_loop(std::get<schedule::Loop>(step.action));
      }
    }
  }

  /// Slots are loaded where they are used: hundreds of pointers kept from the entry on would be spilled, and it is slow
  /// to find that out.
  llvm::Value* pointer(std::size_t position) {
    const schedule::Buffer& buffer = schedule_.buffers[position];
    llvm::Value* base = buffer.placement == schedule::Placement::arena      ? caller_.arena
                        : buffer.placement == schedule::Placement::constant ? caller_.constants
                                                                            : slot(2 + buffer.slot);
    base = b_.CreateConstGEP1_64(b_.getInt8Ty(), base, static_cast<std::uint64_t>(buffer.offset));
    for (const schedule::Motion& motion : buffer.motions) {
      llvm::Value* times = counters_[motion.loop];
      if (motion.alternates) times = b_.CreateAnd(times, b_.getInt64(1));
      base = b_.CreateGEP(b_.getInt8Ty(), base,
                          b_.CreateMul(times, b_.getInt64(static_cast<std::uint64_t>(motion.bytes))));
    }
    return base;
  }

  void emit_call(const schedule::KernelCall& call) {
    const KernelFunctions& functions = functions_[call.kernel];
    std::vector<llvm::Value*> arguments;
    for (std::size_t argument : call.arguments) arguments.push_back(pointer(argument));
    const std::int64_t extent = parallel_extent(call);
    if (extent <= 1) {
      arguments.insert(arguments.end(),
                       {b_.getInt64(0), b_.getInt64(static_cast<std::uint64_t>(extent)), caller_.scratch});
      b_.CreateCall(functions.direct, arguments);
      return;
    }
    for (std::size_t i = 0; i < arguments.size(); ++i)
      b_.CreateStore(arguments[i], b_.CreateConstGEP1_64(b_.getPtrTy(), caller_.arguments, i));
    auto* type =
        llvm::FunctionType::get(b_.getVoidTy(), {b_.getPtrTy(), b_.getPtrTy(), b_.getPtrTy(), b_.getInt64Ty()}, false);
    b_.CreateCall(type, caller_.parallel_for,
                  {caller_.function->getArg(0), functions.indirect, caller_.arguments,
                   b_.getInt64(static_cast<std::uint64_t>(extent))});
  }

  llvm::Value* condition(std::size_t buffer) {
    return b_.CreateICmpNE(b_.CreateLoad(b_.getInt8Ty(), pointer(buffer)), b_.getInt8(0));
  }

  llvm::BasicBlock* new_block(const char* name) {
    return llvm::BasicBlock::Create(context_.llvm(), name, caller_.function);
  }

  void emit_check(const schedule::Check& check) {
    llvm::BasicBlock* fail = new_block("fail");
    llvm::BasicBlock* pass = new_block("pass");
    b_.CreateCondBr(condition(check.predicate), pass, fail);
    b_.SetInsertPoint(fail);
    b_.CreateRet(b_.getInt32(static_cast<std::uint32_t>(check.check + 1)));
    b_.SetInsertPoint(pass);
  }

  void emit_branch(const schedule::Branch& branch) {
    llvm::BasicBlock* then = new_block("then");
    llvm::BasicBlock* otherwise = new_block("else");
    llvm::BasicBlock* after = new_block("after");
    b_.CreateCondBr(condition(branch.predicate), then, otherwise);
    for (const auto& [start, steps] : {std::pair(then, &branch.then_steps), std::pair(otherwise, &branch.else_steps)}) {
      b_.SetInsertPoint(start);
      emit_steps(*steps);
      b_.CreateBr(after);
    }
    b_.SetInsertPoint(after);
  }

  void emit_loop(const schedule::Loop& loop) {
    if (loop.predicate < 0 && loop.trips == 0) return;
    llvm::BasicBlock *before = b_.GetInsertBlock(), *begin = new_block("loop"), *after = new_block("after");
    b_.CreateBr(begin);
    b_.SetInsertPoint(begin);
    llvm::PHINode* counter = b_.CreatePHI(b_.getInt64Ty(), 2, "iteration");
    counter->addIncoming(b_.getInt64(0), before);
    counters_[loop.id] = counter;
    if (loop.predicate >= 0) {
      emit_steps(loop.condition);
      llvm::BasicBlock* body = new_block("body");
      b_.CreateCondBr(condition(static_cast<std::size_t>(loop.predicate)), body, after);
      b_.SetInsertPoint(body);
    }
    emit_steps(loop.body);
    llvm::Value* next = b_.CreateAdd(counter, b_.getInt64(1));
    counter->addIncoming(next, b_.GetInsertBlock());
    if (loop.predicate >= 0)
      b_.CreateBr(begin);
    else
      b_.CreateCondBr(b_.CreateICmpULT(next, b_.getInt64(static_cast<std::uint64_t>(loop.trips))), begin, after);
    b_.SetInsertPoint(after);
  }

  ModuleContext context_;
  const schedule::Module& schedule_;
  const Part& part_;
  const std::vector<std::int64_t> trips_;  ///< of the schedule's loops
  llvm::IRBuilder<> b_;
  std::vector<std::vector<bool>> shared_;
  std::vector<KernelFunctions> functions_;
  Caller caller_;
  llvm::Value *profile_ = nullptr, *last_tick_ = nullptr;  ///< of the entry, when the part is profiled
  std::uint64_t calls_ = 0;
  std::vector<llvm::Value*> counters_;  ///< iterations of the loops, by id
};

std::int64_t size_of_code(const kernel::Block& block, const Target& target);

/// How often a loop's body stands in the code.
std::int64_t copies_of(const kernel::Loop& loop) {
  const std::int64_t extent = loop.variable.extent, lanes = loop.lanes();
  switch (loop.kind) {
    case kernel::LoopKind::unrolled:
      return extent;
    case kernel::LoopKind::vector:  // whole vectors, and the tail
      return (extent >= lanes ? loop.accumulators : 0) + (extent % lanes + loop.width - 1) / loop.width;
    case kernel::LoopKind::parallel:
    case kernel::LoopKind::serial:
      break;
  }
  return 1;
}

std::int64_t size_of_code(const kernel::Value& value, const Target& target) {
  return 1 + (value.function ? size_of_code(value.function->body, target) : 0);
}

/// About how many instructions a block becomes.
std::int64_t size_of_code(const kernel::Block& block, const Target& target) {
  std::int64_t size = 0;
  for (const kernel::Statement& statement : block.statements) {
    if (const auto* define = std::get_if<kernel::Define>(&statement)) {
      size += size_of_code(*define->value, target);
    } else if (const auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&statement)) {
      constexpr std::int64_t kLoop = 4;  // its own
      size += kLoop + size_of_code((*loop)->body, target) * copies_of(**loop);
    } else if (const auto* branch = std::get_if<std::unique_ptr<kernel::If>>(&statement)) {
      size += 1 + size_of_code((*branch)->then_block, target) + size_of_code((*branch)->else_block, target);
    } else if (const auto* contract = std::get_if<std::unique_ptr<kernel::Contract>>(&statement)) {
      size += Translator::code_size(**contract, target,
                                    [&](const kernel::Block& ending) { return size_of_code(ending, target); });
    } else {
      ++size;
    }
  }
  return size;
}

/// About how many instructions the calls become.
std::int64_t size_of_calls(Steps steps) {
  std::int64_t size = 0;
  for (const schedule::Step& step : steps) {
    if (const auto* call = std::get_if<schedule::KernelCall>(&step.action)) {
      size += 2 + static_cast<std::int64_t>(call->arguments.size());
    } else if (const auto* branch = std::get_if<schedule::Branch>(&step.action)) {
      size += size_of_calls(branch->then_steps) + size_of_calls(branch->else_steps);
    } else if (const auto* loop = std::get_if<schedule::Loop>(&step.action)) {
      size += size_of_calls(loop->condition) + size_of_calls(loop->body);
    }
  }
  return size;
}

/// Of a whole step. Tables are no instructions.
std::int64_t size_of_entry(const schedule::Module& module) {
  std::int64_t size = 0;
  cut_entry(module.body, [](Steps) {}, [&](Steps steps) { size += size_of_calls(steps); });
  return size;
}

}  // namespace

std::vector<Part> split(const schedule::Module& module, const Target& target, std::size_t threads) {
  constexpr std::int64_t kWorthAThread = 150;  // instructions: ten milliseconds of compilation
  constexpr std::int64_t kWorthAPart = 75;     // twice what a part of its own takes
  constexpr std::int64_t kEntry = 60;          // what loading LLVM's tables adds to the first part, beside the calls
  constexpr std::int64_t kLarge = 6;           // times a small part
  constexpr std::size_t kSmall = 2;            // small parts for each large one, at most
  std::vector<std::int64_t> sizes;
  std::vector<std::size_t> order;
  std::int64_t total = 0;
  for (const auto& kernel : module.kernels) {
    order.push_back(sizes.size());
    sizes.push_back(size_of_code(kernel->body, target));
    total += sizes.back();
  }
  const std::size_t most = std::max<std::size_t>(1, std::min<std::size_t>(threads, sizes.size()));
  const auto large = std::clamp<std::size_t>(static_cast<std::size_t>(total / kWorthAThread), 1, most);
  // Threads begin with a large part each, and who is done first takes small ones.
  const auto share = total / (static_cast<std::int64_t>(large) * (kLarge + static_cast<std::int64_t>(kSmall)));
  const std::size_t rest = sizes.size() - std::min(sizes.size(), large);
  const std::size_t small = large > 1 && share >= kWorthAPart ? std::min(kSmall * large, rest) : 0;
  std::vector<Part> parts(large + small, {std::vector<bool>(sizes.size(), false), false});
  parts.front().entry = true;
  // The largest first, each to the part that has least.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sizes[a] > sizes[b]; });
  std::vector<std::int64_t> load(parts.size(), 0);
  load.front() = kEntry + size_of_entry(module);
  for (const std::size_t k : order) {
    std::size_t least = 0;
    std::int64_t least_load = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::int64_t with = (load[i] + sizes[k]) * (i < large ? 1 : kLarge);
      if (i > 0 && with >= least_load) continue;
      least = i;
      least_load = with;
    }
    parts[least].kernels[k] = true;
    load[least] += sizes[k];
  }
  return parts;
}

std::unique_ptr<llvm::Module> emit_module(llvm::LLVMContext& llvm, const schedule::Module& module, const Part& part,
                                          const Target& target, const llvm::TargetMachine& machine) {
  auto out = std::make_unique<llvm::Module>(module.name, llvm);
  out->setTargetTriple(machine.getTargetTriple().str());
  out->setDataLayout(machine.createDataLayout());
  ModuleEmitter(llvm, *out, module, part, target).run();
  std::string message;
  llvm::raw_string_ostream stream(message);
  if (llvm::verifyModule(*out, &stream)) {
    out->print(stream, nullptr);
    throw InternalError("codegen: invalid LLVM IR: " + message);
  }
  return out;
}

}  // namespace pullback::codegen
