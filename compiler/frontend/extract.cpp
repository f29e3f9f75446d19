#include "compiler/frontend/extract.h"

#include <algorithm>
#include <set>
#include <span>
#include <unordered_map>

#include <fmt/format.h>

#include "compiler/ir/prune.h"
#include "compiler/ops/ops.h"
#include "compiler/support/pointer_map.h"

namespace pullback::detail {

namespace {

// Updates that follow a tensor which the outputs don't need: each new value, and the one that stands instead.
using Omitted = std::unordered_map<const ir::Value*, const ir::Value*>;

Omitted omitted_updates(Trace& trace, const std::vector<NamedTensor>& outputs) {
  const bool has_any = std::any_of(trace.state_tensors.begin(), trace.state_tensors.end(),
                                   [](const StateTensor& state) { return !state.updates.empty(); });
  if (!has_any) return {};
  PointerSet needed;
  for (const NamedTensor& output : outputs) needed.insert(output.tensor.value());
  const auto& list = trace.function().body.ops;
  for (auto op = list.rbegin(); op != list.rend(); ++op) {
    const auto& results = (*op)->results;
    if (std::any_of(results.begin(), results.end(), [&](const auto& r) { return needed.contains(r.get()); }))
      needed.insert_all((*op)->operands);
  }
  Omitted omitted;
  for (const StateTensor& state : trace.state_tensors)
    for (const StateUpdate& update : state.updates)
      if (update.along && !needed.contains(update.along)) omitted[update.value] = update.previous;
  return omitted;
}

// What a choice between training and not training gives outside of training, or null for another op: what only training
// needs must not be read then, or a prediction would draw dropout's random numbers and move their counter.
const ir::Value* chosen_outside_training(const ir::Op& op, const ir::Value* training) {
  if (!training || op.def != &ops::op_select) return nullptr;
  const ir::Value* condition = op.operand(0);
  while (condition->definer && condition->definer->def == &ops::op_broadcast)
    condition = condition->definer->operand(0);
  return condition == training ? op.operand(2) : nullptr;
}

// All of the graph; what the outputs don't need is removed at the end.
ir::ValueMap copy_graph(Trace& trace, ir::Function& to, bool training, const Omitted& omitted, std::size_t ops) {
  ir::ValueMap map;
  const ir::Function& from = trace.function();
  map.reserve(from.body.arguments.size() + from.body.ops.size());
  to.body.ops.reserve(from.body.ops.size());
  for (ir::ArgumentRole role : {ir::ArgumentRole::input, ir::ArgumentRole::state})
    for (std::size_t i = 0; i < from.body.arguments.size(); ++i) {
      const ir::Value* argument = from.body.arguments[i].get();
      if (from.roles[i] == role && argument != trace.training)
        map[argument] = to.add_argument(argument->type, argument->name, role);
    }
  ir::Builder builder(to.body);
  if (trace.training) map[trace.training] = ops::scalar(builder, boolean, training ? 1 : 0).value;
  for (const auto& op : std::span(from.body.ops).first(std::min(ops, from.body.ops.size()))) {
    if (const ir::Value* chosen = training ? nullptr : chosen_outside_training(*op, trace.training)) {
      map[op->result()] = map.at(chosen);
      continue;
    }
    builder.copy(*op, map);
    for (const auto& result : op->results)
      if (const auto update = omitted.find(result.get()); update != omitted.end())
        map[result.get()] = map.at(update->second);
  }
  return map;
}

void add_results(ir::Function& to, const std::vector<NamedTensor>& outputs, const ir::ValueMap& map) {
  std::set<std::string> taken;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::string name = outputs[i].name.empty() ? outputs[i].tensor.name() : outputs[i].name;
    if (name.empty()) name = fmt::format("out{}", i);
    const std::string base = name;
    for (int n = 1; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", base, n);
    to.add_result(map.at(outputs[i].tensor.value()), name);
  }
}

void add_update(ir::Function& to, const ir::Value& argument, ir::Value* value) {
  to.add_result(value, argument.name, static_cast<std::ptrdiff_t>(argument.index));
}

// The counter of random numbers goes on where it is read.
void advance_random_step(ir::Function& to) {
  for (const auto& argument : to.body.arguments) {
    if (argument->name != kRandomStep) continue;
    ir::Builder builder(to.body);
    builder.location.edit().role = "update";
    builder.location.edit().origin = "random";
    add_update(to, *argument, (ops::Value(builder, argument.get()) + 1.0).value);
    return;
  }
}

}  // namespace

Extraction extract(Trace& trace, const std::string& name, const std::vector<NamedTensor>& outputs, bool training,
                   const SourceLine& line, std::size_t ops) {
  for (const NamedTensor& output : outputs) trace.import(output.tensor, "output", line);  // throws for foreign tensors
  Extraction result;
  result.function = std::make_unique<ir::Function>();
  ir::Function& function = *result.function;
  function.name = name;
  result.map = copy_graph(trace, function, training, omitted_updates(trace, outputs), ops);
  add_results(function, outputs, result.map);
  if (training)
    for (const StateTensor& state : trace.state_tensors)
      if (ir::Value* next = result.map.at(state.latest()); next != result.map.at(state.value))
        add_update(function, *result.map.at(state.value), next);
  ir::keep_needed(function);
  advance_random_step(function);
  return result;
}

}  // namespace pullback::detail
