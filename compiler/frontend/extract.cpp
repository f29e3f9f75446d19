#include "compiler/frontend/extract.h"

#include <set>

#include <fmt/format.h>

#include "compiler/ir/prune.h"

namespace pullback::detail {

namespace {

// All of the graph; what the outputs don't need is removed at the end.
ir::ValueMap copy_graph(Trace& trace, ir::Function& to, bool training) {
  ir::ValueMap map;
  const ir::Function& from = trace.function();
  for (ir::ArgumentRole role : {ir::ArgumentRole::input, ir::ArgumentRole::state})
    for (std::size_t i = 0; i < from.body.arguments.size(); ++i) {
      const ir::Value* argument = from.body.arguments[i].get();
      if (from.roles[i] == role && argument != trace.training)
        map[argument] = to.add_argument(argument->type, argument->name, role);
    }
  ir::Builder builder(to.body);
  if (trace.training) map[trace.training] = ops::scalar(builder, boolean, training ? 1 : 0).value;
  for (const auto& op : from.body.ops) builder.copy(*op, map);
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
    builder.location.role = "update";
    builder.location.origin = "random";
    add_update(to, *argument, (ops::Value(builder, argument.get()) + 1.0).value);
    return;
  }
}

}  // namespace

Extraction extract(Trace& trace, const std::string& name, const std::vector<NamedTensor>& outputs, bool training,
                   const SourceLine& line) {
  for (const NamedTensor& output : outputs) trace.import(output.tensor, "output", line);  // throws for foreign tensors
  Extraction result;
  result.function = std::make_unique<ir::Function>();
  ir::Function& function = *result.function;
  function.name = name;
  result.map = copy_graph(trace, function, training);
  add_results(function, outputs, result.map);
  if (training)
    for (const StateTensor& state : trace.state_tensors)
      if (state.update) add_update(function, *result.map.at(state.value), result.map.at(state.update));
  ir::keep_needed(function);
  advance_random_step(function);
  return result;
}

}  // namespace pullback::detail
