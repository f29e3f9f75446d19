#include "compiler/driver/update.h"

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/trace.h"

namespace pullback::driver {

static void update_parameter(const Optimizer& optimizer, autodiff::UpdateContext& context, std::size_t i,
                             const Tensor& learning_rate, const Tensor& step) {
  detail::Trace& trace = *step.trace();
  ir::Value* parameter = context.parameters()[i];
  const DType dtype = parameter->type.dtype;
  UpdateInputs inputs{
      trace.wrap(parameter), trace.wrap(context.gradients()[i]), cast(learning_rate, dtype), cast(step, dtype), {}};
  std::vector<ir::Value*> slots;
  for (const std::string& slot : optimizer.slot_names) {
    slots.push_back(context.state(fmt::format("{}.{}.{}", optimizer.name, slot, parameter->name), parameter->type));
    inputs.slots.push_back(trace.wrap(slots.back()));
  }
  const UpdateOutputs outputs = optimizer.update(inputs);
  bool fits = outputs.parameter.defined() && outputs.parameter.value()->type == parameter->type &&
              outputs.slots.size() == slots.size();
  for (std::size_t s = 0; fits && s < slots.size(); ++s)
    fits = outputs.slots[s].defined() && outputs.slots[s].value()->type == parameter->type;
  if (!fits)
    throw Error(fmt::format("optimizer {}: its rule must return the parameter {} and {} slots, all {}", optimizer.name,
                            parameter->name, slots.size(), ir::to_string(parameter->type)));
  context.update(parameter, outputs.parameter.value());
  for (std::size_t s = 0; s < slots.size(); ++s) context.update(slots[s], outputs.slots[s].value());
}

autodiff::UpdateBuilder update_builder(const Optimizer& optimizer) {
  return [optimizer](autodiff::UpdateContext& context) {
    context.build().location.origin = optimizer.name;
    const auto trace = std::make_shared<detail::Trace>(context.build());
    const Tensor learning_rate = trace->wrap(context.state(kLearningRate, {f64, {}}, optimizer.learning_rate));
    ir::Value* count = context.state(kStep, {i64, {}});
    const Tensor step = trace->wrap(count) + 1;
    for (std::size_t i = 0; i < context.parameters().size(); ++i)
      update_parameter(optimizer, context, i, learning_rate, step);
    context.update(count, step.value());
  };
}

}  // namespace pullback::driver
