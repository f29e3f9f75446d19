// What a graph declares: inputs, parameters, variables, constants and scopes.
#include <pullback/graph.h>

#include <fmt/format.h>

#include <pullback/state.h>

#include "compiler/frontend/initializers.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/trace.h"

namespace pullback {

Graph::Graph(std::string name, GraphOptions options) : trace_(std::make_shared<detail::Trace>(std::move(name))) {
  trace_->seed = options.seed;
  trace_->state = std::make_shared<State>();
}

const std::string& Graph::name() const {
  return trace_->name();
}

const std::shared_ptr<State>& Graph::state() const {
  return trace_->state;
}

static void require_sizes(const std::string& what, const Shape& shape, const SourceLine& line) {
  for (const Dim& size : shape)
    if (size.is_constant() && size.constant() < 0)
      throw Error(fmt::format("{} has the shape {}: a size is negative", what, to_string(shape)), line);
}

Tensor Graph::input(const std::string& name, DType dtype, Shape shape, SourceLocation where) {
  require_sizes("input " + name, shape, where);
  return trace_->add_argument(name, {dtype, std::move(shape)}, ir::ArgumentRole::input, trace_->line(where));
}

static Tensor declare_state(detail::Trace& trace, const std::string& name, const Shape& shape,
                            const Initializer& initializer, DType dtype, StateKind kind, const SourceLine& line) {
  const std::string full = trace.scoped(name);
  const std::string what = fmt::format("{} {}", name_of(kind), full);
  require_sizes(what, shape, line);
  for (const Dim& size : shape)
    if (!size.is_constant())
      throw Error(fmt::format("{} has the shape {}: its sizes must be numbers", what, to_string(shape)), line);
  if (kind == StateKind::parameter && !is_float(dtype))
    throw Error(fmt::format("{} is {}: only floating tensors are trained; see variable()", what, name_of(dtype)), line);
  Array initial = detail::initial_values(initializer, dtype, ir::static_dims(shape), trace.seed, full, line);
  const Tensor tensor = trace.add_argument(full, {dtype, shape}, ir::ArgumentRole::state, line);
  trace.state->add(full, kind, std::move(initial));
  trace.state_tensors.push_back({tensor.value(), kind == StateKind::parameter, nullptr});
  return tensor;
}

Tensor Graph::parameter(const std::string& name, const Shape& shape, Initializer initializer, DType dtype,
                        SourceLocation where) {
  return declare_state(*trace_, name, shape, initializer, dtype, StateKind::parameter, trace_->line(where));
}

Tensor Graph::variable(const std::string& name, const Shape& shape, Initializer initializer, DType dtype,
                       SourceLocation where) {
  return declare_state(*trace_, name, shape, initializer, dtype, StateKind::statistic, trace_->line(where));
}

void Graph::update(const Tensor& variable, const Tensor& value, SourceLocation where) {
  const SourceLine line = trace_->line(where);
  detail::require_defined("update", variable, where);
  ir::Value* next = trace_->import(value, "update", line);
  for (detail::StateTensor& state : trace_->state_tensors) {
    if (state.value != variable.value()) continue;
    if (state.trainable) detail::fail("update", variable.name() + " is a parameter: the optimizer updates it", line);
    if (!(next->type == variable.value()->type))
      detail::fail(
          "update",
          fmt::format("{} is {}, its new value {}", variable.name(), variable.type_string(), ir::to_string(next->type)),
          line);
    state.update = next;
    return;
  }
  detail::fail("update", fmt::format("a {} is no variable of this graph", variable.type_string()), line);
}

Tensor Graph::constant(double value, const Shape& shape, DType dtype, SourceLocation where) {
  return detail::fill(*trace_, dtype, shape, value, trace_->line(where));
}

Tensor Graph::iota(const Shape& shape, int axis, DType dtype, SourceLocation where) {
  const SourceLine line = trace_->line(where);
  const int rank = static_cast<int>(shape.size());
  if (axis < -rank || axis >= rank)
    detail::fail("iota", fmt::format("there is no axis {} in {}", axis, to_string(shape)), line);
  return trace_->emit("iota", {}, line, [&](ir::Builder& b, const std::vector<ops::Value>&) {
    return ops::iota(b, dtype, shape, axis < 0 ? axis + rank : axis);
  });
}

Tensor Graph::training() {
  return trace_->training_flag();
}

std::vector<Tensor> Graph::parameters() const {
  std::vector<Tensor> result;
  for (const detail::StateTensor& state : trace_->state_tensors)
    if (state.trainable) result.push_back(trace_->wrap(state.value));
  return result;
}

Graph::Scope::Scope(std::shared_ptr<detail::Trace> trace, const std::string& name)
    : trace_(std::move(trace)), guard_(std::make_unique<detail::ScopeGuard>(*trace_, name)) {}

Graph::Scope::~Scope() = default;

Graph::Scope Graph::scope(const std::string& name) {
  return {trace_, name};
}

}  // namespace pullback
