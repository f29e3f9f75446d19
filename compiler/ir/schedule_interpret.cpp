#include "compiler/ir/schedule_interpret.h"

#include "compiler/ir/kernel/interpret.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::schedule {
namespace {

class Interpreter {
 public:
  Interpreter(const Module& module, std::span<void* const> slots)
      : module_(module),
        slots_(slots),
        arena_(static_cast<std::size_t>(module.arena_bytes)),
        constants_(module.constants),
        counters_(module.loops) {}

  int run() { return steps(module_.body); }

 private:
  std::byte* address(std::size_t index) {
    const Buffer& buffer = module_.buffers[index];
    std::int64_t offset = buffer.offset;
    for (const Motion& motion : buffer.motions)
      offset += motion.bytes * (motion.alternates ? counters_[motion.loop] % 2 : counters_[motion.loop]);
    switch (buffer.placement) {
      case Placement::arena:
        return arena_.data() + offset;
      case Placement::constant:
        return constants_.data() + offset;
      case Placement::external:
        return static_cast<std::byte*>(slots_[buffer.slot]) + offset;
    }
    return nullptr;
  }

  bool holds(std::size_t predicate) { return *address(predicate) != std::byte{0}; }

  int steps(const std::vector<Step>& list) {
    for (const Step& step : list) {
      int status = 0;
      if (const auto* call = std::get_if<KernelCall>(&step.action)) run_call(*call);
      if (const auto* check = std::get_if<Check>(&step.action))
        status = holds(check->predicate) ? 0 : static_cast<int>(check->check) + 1;
      if (const auto* branch = std::get_if<Branch>(&step.action))
        status = steps(holds(branch->predicate) ? branch->then_steps : branch->else_steps);
      if (const auto* loop = std::get_if<Loop>(&step.action)) status = run_loop(*loop);
      if (status) return status;
    }
    return 0;
  }

  int run_loop(const Loop& loop) {
    for (std::int64_t& i = counters_[loop.id] = 0; loop.predicate >= 0 || i < loop.trips; ++i) {
      if (const int status = steps(loop.condition)) return status;
      if (loop.predicate >= 0 && !holds(static_cast<std::size_t>(loop.predicate))) break;
      if (const int status = steps(loop.body)) return status;
    }
    return 0;
  }

  void run_call(const KernelCall& call) {
    std::vector<void*> parameters;
    for (std::size_t argument : call.arguments) parameters.push_back(address(argument));
    kernel::interpret(*module_.kernels[call.kernel], parameters);
  }

  const Module& module_;
  std::span<void* const> slots_;
  std::vector<std::byte> arena_, constants_;
  std::vector<std::int64_t> counters_;  ///< of the running loops, by id
};

}  // namespace

int interpret(const Module& module, std::span<void* const> slots) {
  return Interpreter(module, slots).run();
}

}  // namespace pullback::schedule
