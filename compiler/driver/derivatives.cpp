// Functions of a graph: what computes some tensors, and their derivatives.
#include <fmt/format.h>

#include <pullback/control.h>
#include <pullback/graph.h>
#include <pullback/state.h>

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/jvp.h"
#include "compiler/autodiff/step.h"
#include "compiler/driver/program_impl.h"
#include "compiler/frontend/extract.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/raw_difference.h"
#include "compiler/frontend/warnings.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/text.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"

namespace pullback {

using detail::Extraction;
using detail::NamedTensor;

Function::Function(std::shared_ptr<const ir::Function> function, std::shared_ptr<State> state)
    : function_(std::move(function)), state_(std::move(state)) {}

const std::string& Function::name() const {
  return function_->name;
}

std::vector<std::string> Function::input_names() const {
  return compile().input_names();
}

std::vector<std::string> Function::result_names() const {
  return compile().result_names();
}

std::string Function::text() const {
  return ir::print(*function_);
}

Program Function::compile(const CompileOptions& options) const {
  if (const DumpSink dump(read_environment()); dump.wants(Stage::tensor)) dump.write(Stage::tensor, name(), text());
  auto impl = std::make_shared<Program::Impl>();
  impl->source = std::make_shared<driver::FunctionSource>(function_);
  impl->state = state_;
  impl->options = options;
  return Program(std::move(impl));
}

namespace {

void require_outputs(const char* what, const std::vector<Tensor>& tensors, const SourceLocation& where) {
  if (tensors.empty()) throw Error(fmt::format("{}: no tensors are given", what), where);
  for (const Tensor& tensor : tensors) detail::require_defined(what, tensor, where);
}

std::string name_or(const Tensor& tensor, std::size_t position) {
  return tensor.name().empty() ? fmt::format("wrt{}", position) : tensor.name();
}

// A function whose results are still to be made: `values` are what the tensors became in it.
class Draft {
 public:
  Draft(detail::Trace& trace, const std::string& suffix, const std::vector<Tensor>& tensors, const SourceLine& line)
      : trace_(trace) {
    std::vector<NamedTensor> named;
    for (const Tensor& tensor : tensors) named.push_back({"", tensor});
    extraction_ = detail::extract(trace, trace.name() + suffix, named, false, line);
    for (const Tensor& tensor : tensors) values.push_back(extraction_.map.at(tensor.value()));
    // Keep the updates, drop the results that only kept the tensors alive.
    ir::Function& f = function();
    f.body.results.erase(f.body.results.begin(), f.body.results.begin() + static_cast<std::ptrdiff_t>(tensors.size()));
    f.results.erase(f.results.begin(), f.results.begin() + static_cast<std::ptrdiff_t>(tensors.size()));
  }

  ir::Function& function() { return *extraction_.function; }

  Function finish() {
    ir::keep_needed(function());
    ir::verify(function(), function().name);
    return {std::move(extraction_.function), trace_.state()};
  }

  std::vector<ir::Value*> values;

 private:
  detail::Trace& trace_;
  Extraction extraction_;
};

void require_loss(const char* what, const Tensor& loss, const SourceLocation& where) {
  detail::require_defined(what, loss, where);
  if (!is_float(loss.dtype()) || loss.rank() != 0)
    throw Error(fmt::format("{}: the loss {}is {}: a floating scalar is needed; {}", what,
                            loss.name().empty() ? "" : loss.name() + " ", loss.type_string(),
                            is_float(loss.dtype()) ? "reduce it with mean() or sum()" : "cast() it"),
                where);
}

void require_differentiable(const char* what, const std::vector<Tensor>& wrt, const SourceLocation& where) {
  require_outputs(what, wrt, where);
  for (const Tensor& tensor : wrt)
    if (!is_float(tensor.dtype()))
      throw Error(fmt::format("{}: {} is {}: integers and booleans have no gradient", what,
                              tensor.name().empty() ? "a tensor" : tensor.name(), tensor.type_string()),
                  where);
}

std::vector<Tensor> joined(std::vector<Tensor> first, const std::vector<Tensor>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// An input "t.NAME" of the type of each value.
std::vector<ir::Value*> add_directions(ir::Function& function, const std::vector<Tensor>& wrt,
                                       std::span<ir::Value* const> values) {
  std::vector<ir::Value*> directions;
  for (std::size_t i = 0; i < values.size(); ++i)
    directions.push_back(function.add_argument(values[i]->type, "t." + name_or(wrt[i], i)));
  return directions;
}

}  // namespace

std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& wrt, SourceLocation where) {
  require_loss("gradients", loss, where);
  return gradients({loss}, wrt, {Graph(loss.trace()).constant(1, {}, loss.dtype(), where)}, where);
}

std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                              const std::vector<Tensor>& cotangents, SourceLocation where) {
  require_differentiable("gradients", outputs, where);
  require_differentiable("gradients", wrt, where);
  const SourceLine line = outputs.front().trace()->line(where);
  if (cotangents.size() != outputs.size())
    throw Error(fmt::format("gradients: {} outputs, but {} cotangents", outputs.size(), cotangents.size()), line);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (cotangents[i].defined() && cotangents[i].value()->type != outputs[i].value()->type)
      throw Error(
          fmt::format("gradients: the cotangent of {} is {}", outputs[i].type_string(), cotangents[i].type_string()),
          line);
  const std::size_t n = outputs.size();
  return outputs.front().trace()->emit_all(
      "gradients", joined(joined(outputs, cotangents), wrt), line, [&](ir::Builder& builder, const auto& values) {
        const std::span all(values);
        return autodiff::gradients(builder, all.subspan(0, n), all.subspan(n, n), all.subspan(2 * n));
      });
}

Function Graph::function(const std::vector<Tensor>& outputs, SourceLocation where) const {
  require_outputs("function", outputs, where);
  std::vector<NamedTensor> named;
  for (const Tensor& output : outputs) named.push_back({"", output});
  Extraction extraction = detail::extract(*trace_, name(), named, false, where);
  ir::verify(*extraction.function, name());
  return {std::move(extraction.function), trace_->state()};
}

Program Graph::compile(const std::vector<Tensor>& outputs, const CompileOptions& options, SourceLocation where) const {
  return function(outputs, where).compile(options);
}

Function Graph::gradient(const Tensor& loss, const std::vector<Tensor>& wrt, SourceLocation where) const {
  require_loss("gradient", loss, where);
  require_differentiable("gradient", wrt, where);
  Draft draft(*trace_, ".grad", joined({loss}, wrt), where);
  ir::Builder builder(draft.function().body);
  builder.location.edit().line = SourceLine(where);
  const std::vector<ir::Value*> values(draft.values.begin() + 1, draft.values.end());
  std::vector<std::size_t> independent;
  const std::vector<ir::Value*> gradients = autodiff::gradients(builder, draft.values[0], values, &independent);
  for (std::size_t i : independent)
    detail::warn(autodiff::independence_warning(name_or(wrt[i], i), loss.name().empty() ? "loss" : loss.name()));
  if (const auto warning = detail::raw_difference_warning(loss, parameters())) detail::warn("gradient: " + *warning);
  for (std::size_t i = 0; i < wrt.size(); ++i) draft.function().add_result(gradients[i], "d." + name_or(wrt[i], i));
  return draft.finish();
}

Function Graph::jvp(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt, SourceLocation where) const {
  require_differentiable("jvp", outputs, where);
  require_differentiable("jvp", wrt, where);
  Draft draft(*trace_, ".jvp", joined(outputs, wrt), where);
  const auto middle = draft.values.begin() + static_cast<std::ptrdiff_t>(outputs.size());
  const std::vector<ir::Value*> results(draft.values.begin(), middle), values(middle, draft.values.end());
  const std::vector<ir::Value*> directions = add_directions(draft.function(), wrt, values);
  ir::Builder builder(draft.function().body);
  builder.location.edit().line = SourceLine(where);
  const std::vector<ir::Value*> tangents = autodiff::jvp(builder, results, values, directions);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    draft.function().add_result(tangents[i],
                                outputs[i].name().empty() ? fmt::format("t.out{}", i) : "t." + outputs[i].name());
  return draft.finish();
}

Function Graph::hvp(const Tensor& loss, const std::vector<Tensor>& wrt, SourceLocation where) const {
  require_loss("hvp", loss, where);
  require_differentiable("hvp", wrt, where);
  Draft draft(*trace_, ".hvp", joined({loss}, wrt), where);
  const std::vector<ir::Value*> values(draft.values.begin() + 1, draft.values.end());
  const std::vector<ir::Value*> directions = add_directions(draft.function(), wrt, values);
  ir::Builder builder(draft.function().body);
  builder.location.edit().line = SourceLine(where);
  const std::vector<ir::Value*> products =
      autodiff::hessian_vector_product(builder, draft.values[0], values, directions);
  for (std::size_t i = 0; i < wrt.size(); ++i) draft.function().add_result(products[i], "h." + name_or(wrt[i], i));
  return draft.finish();
}

Graph::Halves Graph::halves(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                            SourceLocation where) const {
  require_differentiable("halves", outputs, where);
  require_differentiable("halves", wrt, where);
  const Function forward = function(outputs, where);
  std::vector<std::string> arguments;
  for (const Tensor& tensor : wrt) {
    if (tensor.value()->definer)
      throw Error(
          fmt::format("halves: {} {} is neither an input nor a parameter", name_or(tensor, 0), tensor.type_string()),
          where);
    arguments.push_back(tensor.name());
  }
  autodiff::Split split = autodiff::split_gradient(forward.ir(), name(), forward.result_names(), arguments);
  for (const std::string& unused : split.independent)
    detail::warn(autodiff::independence_warning(unused, forward.result_names().front()));
  return {{std::move(split.forward), trace_->state()}, {std::move(split.backward), trace_->state()}, split.saved};
}

}  // namespace pullback
