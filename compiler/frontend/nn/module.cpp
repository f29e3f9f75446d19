// Module: a handle to its node.
#include <pullback/nn/module.h>

#include <algorithm>

#include <fmt/format.h>

#include "compiler/frontend/nn/module_node.h"
#include "compiler/frontend/operands.h"

namespace pullback::nn {

using detail::ModuleNode;
using detail::ModuleSlot;

Module::Module(std::string name) : node_(std::make_shared<ModuleNode>()) {
  node_->name = std::move(name);
}

Module::Module(Layer layer) : node_(std::make_shared<ModuleNode>()) {
  node_->type = std::move(layer.type);
  node_->description = std::move(layer.description);
  node_->pinned = !layer.container;
}

const std::shared_ptr<ModuleNode>& Module::node(SourceLocation where) const {
  if (!node_) throw Error("a module is used that was moved from: copy it, copies are the same layer", where);
  return node_;
}

// --- Calls ---

struct Module::Call::Impl {
  Impl(const Module& module, const Tensor& x, const SourceLocation& where)
      : node(module.node()), trace(x.trace()), own_mode(trace->forced_training) {
    detail::ModuleMeeting& met = node->meet(*trace);
    if (!met.dtype && is_float(x.dtype())) met.dtype = x.dtype();
    if (node->pinned) pin.emplace(trace.get(), where);
    line = trace->line(where);
    scope.emplace(*trace, met.name, true);
    if (node->training) trace->forced_training = node->training;
  }
  ~Impl() { trace->forced_training = own_mode; }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::shared_ptr<ModuleNode> node;
  std::shared_ptr<detail::Trace> trace;
  std::optional<bool> own_mode;
  SourceLine line;
  std::optional<detail::Pin> pin;
  std::optional<detail::ScopeGuard> scope;
};

static const Tensor& defined(const Module& module, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(module.node(where)->label(), x, where);
  return x;
}

Module::Call::Call(const Module& module, const Tensor& x, SourceLocation where)
    : impl_(std::make_unique<Impl>(module, defined(module, x, where), where)) {}
Module::Call::Call(Call&&) noexcept = default;
Module::Call::~Call() = default;

Tensor Module::Call::result(Tensor y) const {
  if (y.defined()) impl_->node->meet(*impl_->trace).result = y.type_string();
  return y;
}

// "conv2d: ..." of the function becomes "Conv2d encoder.conv1: conv2d: ...".
void Module::Call::rethrow(const Error& error) const {
  if (!error.where().known()) rethrow(Error(error.what(), impl_->line));
  std::string message = error.what();
  const std::string name = impl_->node->full_name();
  if (!impl_->node->pinned || name.empty() || message.find(name) != std::string::npos) throw error;
  const std::string place = error.where().known() ? fmt::format(" ({})", error.where().to_string()) : "";
  if (message.ends_with(place)) message.resize(message.size() - place.size());
  throw Error(fmt::format("{}: {}", impl_->node->label(), message), error.where());
}

const SourceLine& Module::Call::line() const {
  return impl_->line;
}

Graph Module::Call::graph() const {
  return Graph(impl_->trace);
}

Module::Call Module::enter(const Tensor& x, SourceLocation where) const {
  return {*this, x, where};
}

Tensor Module::operator()(const Tensor& x, SourceLocation where) const {
  const Call call = enter(x, where);
  return call.result(call.run([&] { return forward_at(x, where); }));
}

Tensor Module::forward_at(const Tensor& x, SourceLocation) const {
  return forward(x);
}

Tensor Module::forward(const Tensor& x) const {
  // The call knows the line.
  detail::fail(label(), fmt::format("it is called with one tensor, {}, but defines no forward(x)", x.type_string()),
               {});
}

// --- Names and tensors ---

void Module::set_name(std::string name, SourceLocation where) {
  if (node(where)->last())
    throw Error(
        fmt::format("{}: it has met a graph, its parameters keep their names; {} comes too late", label(), name),
        where);
  node()->name = std::move(name);
}

std::string Module::full_name() const {
  return node()->full_name();
}

std::string Module::label() const {
  return node()->label();
}

Tensor Module::parameter(const std::string& name, SourceLocation where) const {
  const std::shared_ptr<detail::Trace> trace = node(where)->last();
  if (!trace)
    throw Error(
        fmt::format("{}: it has met no graph, so {} is no tensor yet: call it, or name the graph", label(), name),
        where);
  return node()->tensor(name, *trace, trace->line(where));
}

Tensor Module::parameter(const std::string& name, const Graph& graph, SourceLocation where) const {
  return node()->tensor(name, *graph.trace(), graph.trace()->line(where));
}

bool Module::has_parameter(const std::string& name) const {
  return node()->find_slot(name) != nullptr;
}

// --- Declarations ---

static void require_free(const ModuleNode& node, const std::string& name, const SourceLocation& where) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (name.empty() || !std::all_of(name.begin(), name.end(), fits))
    detail::fail(node.label(), fmt::format("'{}' is no name: letters, digits and '_' are", name), where);
  const bool taken =
      std::any_of(node.slots.begin(), node.slots.end(), [&](const auto& slot) { return slot.name == name; }) ||
      std::any_of(node.parts.begin(), node.parts.end(), [&](const auto& part) { return part.first == name; });
  if (taken) detail::fail(node.label(), fmt::format("it already has a part named {}", name), where);
}

static void declare(ModuleNode& node, ModuleSlot slot, const SourceLocation& where) {
  require_free(node, slot.name, where);
  for (const Dim& size : *slot.shape)
    if (!size.is_constant() || size.constant() < 0)
      detail::fail(node.label(),
                   fmt::format("{} has the shape {}: its sizes must be numbers of at least 0", slot.name,
                               to_string(*slot.shape)),
                   where);
  slot.frozen = node.frozen && slot.trainable;
  node.slots.push_back(std::move(slot));
}

void Module::register_parameter(const std::string& name, const Shape& shape, Initializer initializer,
                                std::optional<DType> dtype, SourceLocation where) const {
  declare(*node(), {.name = name, .shape = shape, .initializer = std::move(initializer), .dtype = dtype}, where);
}

void Module::register_statistic(const std::string& name, const Shape& shape, Initializer initializer,
                                std::optional<DType> dtype, SourceLocation where) const {
  declare(*node(),
          {.name = name, .shape = shape, .initializer = std::move(initializer), .dtype = dtype, .trainable = false},
          where);
}

// Is `sought` the module or one of its parts? A part may stand in several modules, so that looking upwards is not
// enough.
static bool holds(const ModuleNode& node, const ModuleNode& sought) {
  return &node == &sought || std::any_of(node.parts.begin(), node.parts.end(),
                                         [&](const auto& part) { return holds(*part.second, sought); });
}

void Module::attach(const std::string& name, const Module& part, SourceLocation where) const {
  require_free(*node(), name, where);
  if (holds(*part.node(), *node())) detail::fail(label(), fmt::format("{} would be a part of itself", name), where);
  node()->parts.emplace_back(name, part.node());
  if (node()->dtype && !part.node()->dtype) part.to(*node()->dtype);
  if (!part.node()->parent.expired()) return;
  part.node()->parent = node();
  part.node()->name = name;
}

// --- Sharing ---

static void tie_slot(ModuleNode& node, const std::string& name, const Module& owner, const std::string& owner_name,
                     bool transposed, const SourceLocation& where) {
  for (const detail::ModuleMeeting& met : node.meetings)
    if (met.values.contains(name))
      detail::fail(node.label(), fmt::format("{} is in use already: tie it before the first call", name), where);
  // Whose parameter it is in the end must not be this one.
  std::shared_ptr<ModuleNode> at = owner.node();
  std::string at_name = owner_name;
  while (at) {
    if (at.get() == &node && at_name == name)
      detail::fail(node.label(), fmt::format("{} is tied to itself", name), where);
    const ModuleSlot* next = at->find_slot(at_name);
    at_name = next ? next->owner_name : "";
    at = next ? next->owner : nullptr;
  }
  ModuleSlot* slot = node.find_slot(name);
  if (!slot) {
    require_free(node, name, where);
    slot = &node.slots.emplace_back(ModuleSlot{.name = name});
  }
  const ModuleSlot* shared = owner.node()->find_slot(owner_name);
  if (shared && shared->shape && slot->shape) {
    Shape shape = *shared->shape;
    if (transposed) std::reverse(shape.begin(), shape.end());
    if (shape != *slot->shape)
      detail::fail(node.label(),
                   fmt::format("{} is {}, but {}.{} is {}{}", name, to_string(*slot->shape), owner.node()->label(),
                               owner_name, to_string(*shared->shape), transposed ? ", which is used transposed" : ""),
                   where);
  }
  slot->owner = owner.node();
  slot->owner_name = owner_name;
  slot->transposed = transposed;
}

void Module::tie(const std::string& name, const Module& owner, const std::string& owner_name,
                 SourceLocation where) const {
  tie_slot(*node(), name, owner, owner_name, false, where);
}

void Module::tie_transposed(const std::string& name, const Module& owner, const std::string& owner_name,
                            SourceLocation where) const {
  tie_slot(*node(), name, owner, owner_name, true, where);
}

// --- What holds for a module and its parts ---

static void freeze_slot(ModuleNode& node, ModuleSlot& slot, bool frozen) {
  if (slot.owner) {
    if (ModuleSlot* shared = slot.owner->find_slot(slot.owner_name)) freeze_slot(*slot.owner, *shared, frozen);
    return;
  }
  if (!slot.trainable) return;
  slot.frozen = frozen;
  for (const detail::ModuleMeeting& met : node.meetings)
    if (const auto trace = met.trace.lock())
      if (const auto value = met.values.find(slot.name); value != met.values.end())
        trace->find_state(value->second)->frozen = frozen;
}

static void freeze_node(ModuleNode& node, bool frozen) {
  node.frozen = frozen;
  for (ModuleSlot& slot : node.slots) freeze_slot(node, slot, frozen);
  for (const auto& [name, part] : node.parts) freeze_node(*part, frozen);
}

void Module::set_frozen(bool frozen) const {
  freeze_node(*node(), frozen);
}

static void set_mode_of(ModuleNode& node, std::optional<bool> training) {
  node.training = training;
  for (const auto& [name, part] : node.parts) set_mode_of(*part, training);
}

void Module::set_mode(std::optional<bool> training) const {
  set_mode_of(*node(), training);
}

static void set_dtype_of(ModuleNode& node, DType dtype) {
  node.dtype = dtype;
  for (const auto& [name, part] : node.parts) set_dtype_of(*part, dtype);
}

void Module::to(DType dtype, SourceLocation where) const {
  if (!is_float(dtype))
    throw Error(fmt::format("{}: {} is no floating type, parameters have one", label(), name_of(dtype)), where);
  set_dtype_of(*node(), dtype);
}

}  // namespace pullback::nn
