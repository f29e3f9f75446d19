// Checks a schedule against the rules at the top of schedule.h.
#include <algorithm>

#include <fmt/format.h>

#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/schedule.h"

namespace pullback::schedule {
namespace {

class Verifier {
 public:
  Verifier(const Module& module, const std::string& stage) : module_(module), stage_(stage) {}

  void run() {
    for (const Buffer& buffer : module_.buffers) check_buffer(buffer);
    for (const CheckInfo& check : module_.checks)
      for (std::size_t witness : check.witnesses)
        require(buffer(witness).elements == 1 && buffer(witness).motions.empty(),
                "a check's witness must be one element that does not move, not %{}", buffer(witness).name);
    steps(module_.body);
  }

 private:
  template <class... Args>
  void require(bool holds, fmt::format_string<Args...> message, Args&&... args) const {
    if (holds) return;
    const std::string what = fmt::format(message, std::forward<Args>(args)...);
    throw InternalError(fmt::format("{}: schedule @{}: {}\n{}", stage_, module_.name, what, print(module_)));
  }

  const Buffer& buffer(std::size_t index) const {
    require(index < module_.buffers.size(), "buffer {} of {}", index, module_.buffers.size());
    return module_.buffers[index];
  }

  void check_buffer(const Buffer& b) const {
    require(b.elements >= 0, "%{} has {} elements", b.name, b.elements);
    require(b.is_view || b.motions.empty(), "%{} moves, but is no view", b.name);
    for (const Motion& motion : b.motions)
      require(motion.loop < module_.loops, "%{} moves with loop {} of {}", b.name, motion.loop, module_.loops);
    std::int64_t size = static_cast<std::int64_t>(module_.constants.size());
    if (b.placement == Placement::arena) size = module_.arena_bytes;
    if (b.placement == Placement::external) {
      require(b.slot < module_.slots.size(), "%{} is bound to slot {} of {}", b.name, b.slot, module_.slots.size());
      const Slot& slot = module_.slots[b.slot];
      std::int64_t elements = 1;
      for (std::int64_t d : slot.dims) elements *= d;
      require((b.is_view || elements == b.elements) && slot.dtype == b.dtype, "%{} differs from its slot {}", b.name,
              slot.name);
      size = elements * static_cast<std::int64_t>(size_of(slot.dtype));
    }
    const auto element = static_cast<std::int64_t>(size_of(b.dtype));
    require(b.offset % (b.is_view ? element : kAlignment) == 0, "%{} lies at {}, which is not aligned", b.name,
            b.offset);
    const Reach reach = reach_of(b, trips_);
    require(b.elements == 0 || b.offset + reach.low >= 0, "%{} begins before its memory", b.name);
    require(b.elements == 0 || b.offset + reach.high + b.bytes() <= size, "%{} ends beyond its memory of {} bytes",
            b.name, size);
  }

  void steps(const std::vector<Step>& list) {
    for (const Step& step : list) {
      if (const auto* call = std::get_if<KernelCall>(&step.action)) check_call(*call);
      if (const auto* check = std::get_if<Check>(&step.action)) {
        require(check->check < module_.checks.size(), "check {} of {}", check->check, module_.checks.size());
        predicate(check->predicate);
        require(!state_written_, "check #{} comes after a write to a state", check->check);
      }
      if (const auto* branch = std::get_if<Branch>(&step.action)) check_branch(*branch);
      if (const auto* loop = std::get_if<Loop>(&step.action)) check_loop(*loop);
    }
  }

  void check_loop(const Loop& loop) {
    require(loop.id < module_.loops, "loop {} of {}", loop.id, module_.loops);
    require(loop.trips >= 0, "loop {} runs {} times", loop.id, loop.trips);
    open_loops_.push_back(loop.id);
    // A second iteration meets the states that the first has written.
    for (int iteration = 0; iteration < 2; ++iteration) {
      steps(loop.condition);
      if (loop.predicate >= 0) predicate(static_cast<std::size_t>(loop.predicate));
      steps(loop.body);
    }
    open_loops_.pop_back();
  }

  void check_branch(const Branch& branch) {
    predicate(branch.predicate);
    const bool before = state_written_;
    steps(branch.then_steps);
    const bool after_then = state_written_;
    state_written_ = before;
    steps(branch.else_steps);
    state_written_ = state_written_ || after_then;
  }

  void require_moving_in_its_loops(const Buffer& b) const {
    for (const Motion& motion : b.motions)
      require(std::find(open_loops_.begin(), open_loops_.end(), motion.loop) != open_loops_.end(),
              "%{} moves with loop {}, but is used outside of it", b.name, motion.loop);
  }

  void predicate(std::size_t index) const {
    const Buffer& b = buffer(index);
    require_moving_in_its_loops(b);
    require(b.dtype == DType::boolean && b.elements == 1, "%{} is no predicate", b.name);
  }

  void check_call(const KernelCall& call) {
    require(call.kernel < module_.kernels.size(), "kernel {} of {}", call.kernel, module_.kernels.size());
    const kernel::Kernel& kernel = *module_.kernels[call.kernel];
    std::size_t next = 0;
    for (const kernel::Buffer& parameter : kernel.buffers) {
      if (parameter.access == kernel::Access::scratch) continue;
      require(next < call.arguments.size(), "{} is called with {} arguments", kernel.name, call.arguments.size());
      const Buffer& argument = buffer(call.arguments[next++]);
      require_moving_in_its_loops(argument);
      require(argument.dtype == parameter.dtype && argument.elements == parameter.elements,
              "{}: %{} is {}[{}], parameter {} is {}[{}]", kernel.name, argument.name, name_of(argument.dtype),
              argument.elements, parameter.name, name_of(parameter.dtype), parameter.elements);
      if (parameter.access != kernel::Access::in) check_written(kernel, argument);
    }
    require(next == call.arguments.size(), "{} is called with {} arguments, takes {}", kernel.name,
            call.arguments.size(), next);
    require(kernel.scratch_bytes() <= module_.scratch_bytes, "{} needs {} bytes of scratch", kernel.name,
            kernel.scratch_bytes());
  }

  void check_written(const kernel::Kernel& kernel, const Buffer& argument) {
    require(argument.placement != Placement::constant, "{} writes the constant %{}", kernel.name, argument.name);
    if (argument.placement != Placement::external) return;
    const Slot& slot = module_.slots[argument.slot];
    require(slot.role != SlotRole::input, "{} writes the input %{}", kernel.name, argument.name);
    require(slot.written, "{} writes %{}, whose slot is not marked written", kernel.name, argument.name);
    if (slot.role == SlotRole::state) state_written_ = true;
  }

  const Module& module_;
  const std::string& stage_;
  const std::vector<std::int64_t> trips_ = trips_of(module_);
  std::vector<std::size_t> open_loops_;
  bool state_written_ = false;
};

}  // namespace

void verify(const Module& module, const std::string& stage) {
  Verifier(module, stage).run();
}

}  // namespace pullback::schedule
