// The text of a schedule: slots and buffers first, then the steps, indented by branch.
#include <fmt/format.h>

#include "compiler/ir/kernel/kernel.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/schedule.h"

namespace pullback::schedule {
namespace {

const char* role_name(SlotRole role) {
  switch (role) {
    case SlotRole::input:
      return "input";
    case SlotRole::state:
      return "state";
    case SlotRole::output:
      return "output";
  }
  return "?";
}

std::string place(const Buffer& buffer, const Module& module, const PrintOptions& options) {
  switch (buffer.placement) {
    case Placement::external:
      return fmt::format("slot {} {}{}", buffer.slot, role_name(module.slots[buffer.slot].role),
                         buffer.offset > 0 ? fmt::format(" +{}", buffer.offset) : "");
    case Placement::constant:
      return options.offsets ? fmt::format("constant +{}", buffer.offset) : "constant";
    case Placement::arena:
      return options.offsets ? fmt::format("arena +{}", buffer.offset) : "arena";
  }
  return "?";
}

// " + 64 * #0" for a slice of loop 0, " + 64 * (#1 % 2)" for what alternates.
std::string motions(const Buffer& buffer) {
  std::string text;
  for (const Motion& motion : buffer.motions)
    text += fmt::format(" {} {} * {}", motion.bytes < 0 ? "-" : "+", motion.bytes < 0 ? -motion.bytes : motion.bytes,
                        motion.alternates ? fmt::format("(#{} % 2)", motion.loop) : fmt::format("#{}", motion.loop));
  return text;
}

class Printer {
 public:
  Printer(const Module& module, const PrintOptions& options) : module_(module), options_(options) {}

  std::string run() {
    text_ = fmt::format("schedule @{}", module_.name);
    if (options_.offsets)
      text_ += fmt::format("  // arena {} bytes, constants {} bytes, scratch {} bytes", module_.arena_bytes,
                           module_.constants.size(), module_.scratch_bytes);
    text_ += " {\n";
    for (const Buffer& buffer : module_.buffers)
      text_ += fmt::format("  %{}: {}[{}] in {}{}\n", buffer.name, name_of(buffer.dtype), buffer.elements,
                           place(buffer, module_, options_), motions(buffer));
    steps(module_.body, 1);
    text_ += "}\n";
    if (options_.kernels)
      for (const auto& kernel : module_.kernels) text_ += "\n" + kernel::print(*kernel);
    return std::move(text_);
  }

 private:
  std::string name(std::size_t buffer) const {
    return buffer < module_.buffers.size() ? "%" + module_.buffers[buffer].name : fmt::format("%<bad {}>", buffer);
  }

  void steps(const std::vector<Step>& list, int depth) {
    for (const Step& step : list) {
      text_.append(static_cast<std::size_t>(2 * depth), ' ');
      if (const auto* call = std::get_if<KernelCall>(&step.action)) print_call(*call);
      if (const auto* check = std::get_if<Check>(&step.action))
        text_ += fmt::format("check {} else #{} \"{}\"\n", name(check->predicate), check->check,
                             check->check < module_.checks.size() ? module_.checks[check->check].message : "<bad>");
      if (const auto* branch = std::get_if<Branch>(&step.action)) {
        text_ += fmt::format("if {} {{\n", name(branch->predicate));
        steps(branch->then_steps, depth + 1);
        text_ += fmt::format("{:{}}}} else {{\n", "", 2 * depth);
        steps(branch->else_steps, depth + 1);
        text_ += fmt::format("{:{}}}}\n", "", 2 * depth);
      }
      if (const auto* loop = std::get_if<Loop>(&step.action)) print_loop(*loop, depth);
    }
  }

  void print_loop(const Loop& loop, int depth) {
    if (loop.predicate < 0) {
      text_ += fmt::format("loop #{} < {} {{\n", loop.id, loop.trips);
    } else {
      text_ += fmt::format("while #{} {{\n", loop.id);
      steps(loop.condition, depth + 1);
      text_ += fmt::format("{:{}}}} {} {{\n", "", 2 * depth, name(static_cast<std::size_t>(loop.predicate)));
    }
    steps(loop.body, depth + 1);
    text_ += fmt::format("{:{}}}}\n", "", 2 * depth);
  }

  void print_call(const KernelCall& call) {
    if (call.kernel >= module_.kernels.size()) {
      text_ += fmt::format("<bad kernel {}>\n", call.kernel);
      return;
    }
    const kernel::Kernel& kernel = *module_.kernels[call.kernel];
    text_ += fmt::format("call {}(", kernel.name);
    std::size_t next = 0;
    for (const kernel::Buffer& parameter : kernel.buffers) {
      if (parameter.access == kernel::Access::scratch || next == call.arguments.size()) continue;
      text_ += fmt::format("{}{} {}", next ? ", " : "", kernel::name_of(parameter.access), name(call.arguments[next]));
      ++next;
    }
    text_ += fmt::format(")  // {}", call.what);
    for (const SourceLine& line : call.lines) text_ += fmt::format(" {}", line.to_string());
    text_ += "\n";
  }

  const Module& module_;
  const PrintOptions& options_;
  std::string text_;
};

}  // namespace

std::string print(const Module& module, const PrintOptions& options) {
  return Printer(module, options).run();
}

static void add_calls(const std::vector<Step>& steps, std::vector<const KernelCall*>& calls) {
  for (const Step& step : steps) {
    if (const auto* call = std::get_if<KernelCall>(&step.action)) calls.push_back(call);
    if (const auto* branch = std::get_if<Branch>(&step.action)) {
      add_calls(branch->then_steps, calls);
      add_calls(branch->else_steps, calls);
    }
    if (const auto* loop = std::get_if<Loop>(&step.action)) {
      add_calls(loop->condition, calls);
      add_calls(loop->body, calls);
    }
  }
}

std::vector<const KernelCall*> calls_of(const Module& module) {
  std::vector<const KernelCall*> calls;
  add_calls(module.body, calls);
  return calls;
}

}  // namespace pullback::schedule
