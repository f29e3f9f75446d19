// Names and tensors of modules in graphs.
#include "compiler/frontend/nn/module_node.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <pullback/shapes.h>
#include <pullback/state.h>

#include "compiler/frontend/operands.h"

namespace pullback::detail {

namespace {

// "LayerNorm" -> "layer_norm", "Conv2d" -> "conv2d".
std::string snake_case(const std::string& type) {
  std::string result;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const bool upper = type[i] >= 'A' && type[i] <= 'Z';
    if (upper && i > 0 && type[i - 1] >= 'a' && type[i - 1] <= 'z') result += '_';
    result += static_cast<char>(upper ? type[i] - 'A' + 'a' : type[i]);
  }
  return result;
}

bool has_tensors_of(Trace& trace, const std::string& layer) {
  const auto& arguments = trace.function().body.arguments;
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const auto& argument) { return argument->name.starts_with(layer + "."); });
}

std::string root_name(const ModuleNode& node, Trace& trace) {
  if (!node.name.empty()) return trace.scoped(node.name);
  if (node.type.empty()) return trace.scope();
  const std::string base = trace.scoped(snake_case(node.type));
  std::string name = base;
  for (int n = 1; has_tensors_of(trace, name); ++n) name = fmt::format("{}_{}", base, n);
  return name;
}

void zero_row(Array table, std::int64_t row) {
  const std::size_t size = table.bytes() / static_cast<std::size_t>(table.dims()[0]);
  std::memset(static_cast<char*>(table.raw()) + static_cast<std::size_t>(row) * size, 0, size);
}

std::string join(const std::string& scope, const std::string& name) {
  return scope.empty() || name.empty() ? scope + name : scope + "." + name;
}

}  // namespace

ModuleMeeting& ModuleNode::meet(Trace& trace) {
  std::erase_if(meetings, [](const ModuleMeeting& meeting) { return meeting.trace.expired(); });
  const auto known = std::find_if(meetings.begin(), meetings.end(),
                                  [&](const ModuleMeeting& m) { return m.trace.lock().get() == &trace; });
  if (known != meetings.end()) {
    std::rotate(known, known + 1, meetings.end());
    return meetings.back();
  }
  const std::shared_ptr<ModuleNode> above = parent.lock();
  ModuleMeeting meeting;
  meeting.trace = trace.weak_from_this();
  meeting.name = above ? join(above->meet(trace).name, name) : root_name(*this, trace);
  meetings.push_back(std::move(meeting));
  return meetings.back();
}

std::shared_ptr<Trace> ModuleNode::last() const {
  for (auto meeting = meetings.rbegin(); meeting != meetings.rend(); ++meeting)
    if (auto trace = meeting->trace.lock()) return trace;
  return nullptr;
}

const ModuleMeeting* ModuleNode::meeting(const std::shared_ptr<Trace>& trace) const {
  const auto found = std::find_if(meetings.begin(), meetings.end(),
                                  [&](const ModuleMeeting& m) { return trace && m.trace.lock() == trace; });
  return found == meetings.end() ? nullptr : &*found;
}

ModuleSlot* ModuleNode::find_slot(const std::string& slot_name) {
  const auto found =
      std::find_if(slots.begin(), slots.end(), [&](const ModuleSlot& slot) { return slot.name == slot_name; });
  return found == slots.end() ? nullptr : &*found;
}

Tensor ModuleNode::tensor(const std::string& slot_name, Trace& trace, const SourceLine& line) {
  const ModuleSlot* slot = find_slot(slot_name);
  if (!slot) fail(label(), fmt::format("it has no parameter or statistic {}", slot_name), line);
  if (slot->owner) {
    const Tensor shared = slot->owner->tensor(slot->owner_name, trace, line);
    const Tensor own = slot->transposed ? transpose(shared, 0, 1) : shared;
    if (slot->shape && own.shape() != *slot->shape)
      fail(label(),
           fmt::format("{} is {}, but it is tied to {} {}", slot_name, to_string(*slot->shape),
                       slot->owner->label() + "." + slot->owner_name, shared.type_string()),
           line);
    return own;
  }
  ModuleMeeting& met = meet(trace);
  // All that is declared is made at once, so that the order of declaration is that of the state.
  if (!met.values.contains(slot_name))
    for (const ModuleSlot& each : slots)
      if (!each.owner && !met.values.contains(each.name)) make(each, met, trace);
  return trace.wrap(met.values.at(slot_name));
}

void ModuleNode::make(const ModuleSlot& slot, ModuleMeeting& met, Trace& trace) const {
  ScopeGuard scope(trace, met.name, true);
  Graph graph(trace.shared_from_this());
  const DType element = slot.dtype ? *slot.dtype : dtype ? *dtype : met.dtype ? *met.dtype : f32;
  const Tensor made = slot.trainable ? graph.parameter(slot.name, *slot.shape, slot.initializer, element)
                                     : graph.variable(slot.name, *slot.shape, slot.initializer, element);
  trace.find_state(made.value())->frozen = slot.frozen;
  if (slot.zero_row) zero_row(trace.state()->get(made.name()), *slot.zero_row);
  met.values[slot.name] = made.value();
}

std::string ModuleNode::full_name() const {
  if (const ModuleMeeting* met = meeting(last())) return met->name;
  const std::shared_ptr<ModuleNode> above = parent.lock();
  return above ? join(above->full_name(), name) : name;
}

std::string ModuleNode::label() const {
  const std::string full = full_name();
  const std::string kind = type.empty() ? "module" : type;
  return full.empty() ? kind : kind + " " + full;
}

}  // namespace pullback::detail
