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
        constants_(module.constants) {}

  int run() { return steps(module_.body); }

 private:
  std::byte* address(std::size_t index) {
    const Buffer& buffer = module_.buffers[index];
    switch (buffer.placement) {
      case Placement::arena:
        return arena_.data() + buffer.offset;
      case Placement::constant:
        return constants_.data() + buffer.offset;
      case Placement::external:
        return static_cast<std::byte*>(slots_[buffer.slot]);
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
      if (status) return status;
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
};

}  // namespace

int interpret(const Module& module, std::span<void* const> slots) {
  return Interpreter(module, slots).run();
}

}  // namespace pullback::schedule
