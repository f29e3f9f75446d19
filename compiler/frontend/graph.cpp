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
  trace_->growing_state = std::make_shared<State>();
}

Graph::Graph(std::shared_ptr<detail::Trace> trace, SourceLocation where) : trace_(std::move(trace)) {
  if (!trace_) detail::fail("Graph", "an undefined tensor belongs to no graph", where);
}

const std::string& Graph::name() const {
  return trace_->name();
}

const std::shared_ptr<State>& Graph::state() const {
  return trace_->state();
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
  Array initial =
      detail::initial_values(initializer, dtype, ir::static_dims(shape), trace.seed, full, line, trace.first_values);
  const Tensor tensor = trace.add_argument(full, {dtype, shape}, ir::ArgumentRole::state, line);
  trace.growing_state->add(full, kind, std::move(initial));
  trace.state_tensors.push_back({.value = tensor.value(), .trainable = kind == StateKind::parameter, .updates = {}});
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

// The declaration of a variable that can be updated. Throws Error when it is none.
static detail::StateTensor& find_variable(detail::Trace& trace, const Tensor& variable, const SourceLine& line) {
  detail::StateTensor* state = trace.find_state(variable.value());
  if (!state) detail::fail("update", fmt::format("a {} is no variable of this graph", variable.type_string()), line);
  if (state->trainable) detail::fail("update", variable.name() + " is a parameter: the optimizer updates it", line);
  return *state;
}

static ir::Value* import_update(detail::Trace& trace, const Tensor& variable, const Tensor& value,
                                const SourceLine& line) {
  if (trace.in_region())
    detail::fail("update", variable.name() + " is updated within a branch or block: return the new value from there",
                 line);
  ir::Value* next = trace.import(value, "update", line);
  if (!(next->type == variable.value()->type))
    detail::fail(
        "update",
        fmt::format("{} is {}, its new value {}", variable.name(), variable.type_string(), ir::to_string(next->type)),
        line);
  return next;
}

void Graph::update(const Tensor& variable, const Tensor& value, SourceLocation where) {
  const SourceLine line = trace_->line(where);
  detail::require_defined("update", variable, where);
  detail::StateTensor& state = find_variable(*trace_, variable, line);
  state.updates = {{.value = import_update(*trace_, variable, value, line)}};
}

void Graph::update_along(const Tensor& along, const Tensor& variable, const Tensor& value, SourceLocation where) {
  const SourceLine line = trace_->line(where);
  detail::require_defined("update_along", variable, where);
  detail::StateTensor& state = find_variable(*trace_, variable, line);
  ir::Value* next = import_update(*trace_, variable, value, line);
  state.updates.push_back({next, trace_->import(along, "update_along", line), state.latest()});
}

Tensor Graph::latest(const Tensor& variable, SourceLocation where) const {
  detail::require_defined("latest", variable, where);
  return trace_->wrap(find_variable(*trace_, variable, trace_->line(where)).latest());
}

void Graph::freeze(const Tensor& parameter, bool frozen, SourceLocation where) {
  detail::require_defined("freeze", parameter, where);
  detail::StateTensor* state = trace_->find_state(parameter.value());
  if (!state || !state->trainable)
    detail::fail("freeze", fmt::format("a {} is no parameter of this graph", parameter.type_string()),
                 trace_->line(where));
  state->frozen = frozen;
}

bool Graph::is_frozen(const Tensor& parameter) const {
  const detail::StateTensor* state = trace_->find_state(parameter.value());
  return state && state->frozen;
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
