#include "compiler/autodiff/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/reverse.h"
#include "compiler/ir/prune.h"
#include "compiler/ops/build.h"

namespace pullback::autodiff {
namespace {

/// A result with what it is called and updates; collected before the function's own results are replaced.
struct NamedResult {
  ir::Value* value = nullptr;
  ir::FunctionResult info;
};

void set_results(ir::Function& function, const std::vector<NamedResult>& results) {
  function.results.clear();
  function.body.results.clear();
  for (const NamedResult& r : results) function.add_result(r.value, r.info.name, r.info.updates);
}

bool has_name(const std::vector<NamedResult>& results, const std::string& name) {
  return std::any_of(results.begin(), results.end(), [&](const NamedResult& r) { return r.info.name == name; });
}

/// The named results of `function`, without repetition.
std::vector<NamedResult> named_results(const ir::Function& function, const std::vector<std::string>& names,
                                       const std::string& what) {
  std::vector<NamedResult> results;
  for (const std::string& name : names)
    if (!has_name(results, name)) results.push_back({find_result(function, name, what), {name, -1}});
  return results;
}

std::vector<std::string> names_at(const std::vector<std::string>& names, const std::vector<std::size_t>& positions) {
  std::vector<std::string> result;
  for (const std::size_t i : positions) result.push_back(names[i]);
  return result;
}

class StepContext final : public UpdateContext {
 public:
  StepContext(ir::Function& function, ir::Builder& builder, ir::Value* loss, std::vector<ir::Value*> parameters,
              std::vector<NamedResult> own_updates)
      : updates(std::move(own_updates)),
        function_(&function),
        builder_(&builder),
        loss_(loss),
        parameters_(std::move(parameters)) {
    for (const NamedResult& update : updates) updated_.insert(static_cast<std::size_t>(update.info.updates));
    for (const auto& known : function.body.arguments) arguments_.emplace(known->name, known.get());
  }

  void set_gradients(std::vector<ir::Value*> gradients) { gradients_ = std::move(gradients); }

  ir::Builder& build() override { return *builder_; }
  ir::Value* loss() override { return loss_; }
  const std::vector<ir::Value*>& parameters() const override { return parameters_; }
  const std::vector<ir::Value*>& gradients() const override { return gradients_; }

  ir::Value* state(const std::string& name, ir::Type type, double initial) override {
    return added_state({name, std::move(type), initial});
  }
  ir::Value* copied_state(const std::string& name, const ir::Value& original) override {
    return added_state({name, original.type, 0, original.name});
  }

  ir::Value* input(const std::string& name, ir::Type type) override {
    return argument(name, type, ir::ArgumentRole::input);
  }

  void update(ir::Value* argument, ir::Value* value) override {
    if (argument->type != value->type)
      throw InternalError(
          fmt::format("step: {} is updated by a value of type {}", describe(*argument), ir::to_string(value->type)));
    if (function_->roles.at(argument->index) != ir::ArgumentRole::state)
      throw InternalError(fmt::format("step: {} is updated, but is no state", describe(*argument)));
    if (!updated_.insert(argument->index).second)
      throw Error(fmt::format("step: {} is updated twice", describe(*argument)), line_of(*value));
    updates.push_back({value, {argument->name, static_cast<std::ptrdiff_t>(argument->index)}});
  }

  void result(const std::string& name, ir::Value* value) override { extra_results.push_back({value, {name, -1}}); }

  std::vector<NamedResult> updates, extra_results;
  std::vector<AddedState> added_states;

 private:
  ir::Value* added_state(AddedState added) {
    const std::size_t before = function_->body.arguments.size();
    ir::Value* value = argument(added.name, added.type, ir::ArgumentRole::state);
    if (function_->body.arguments.size() != before) added_states.push_back(std::move(added));
    return value;
  }

  ir::Value* argument(const std::string& name, const ir::Type& type, ir::ArgumentRole role) {
    ir::Value*& known = arguments_[name];
    if (!known) return known = function_->add_argument(type, name, role);
    if (known->type != type || function_->roles[known->index] != role)
      throw Error(fmt::format("step: {} exists, but {} is needed", describe(*known), ir::to_string(type)));
    return known;
  }

  ir::Function* function_;
  ir::Builder* builder_;
  ir::Value* loss_;
  std::vector<ir::Value*> parameters_, gradients_;
  std::unordered_set<std::size_t> updated_;  ///< positions of arguments
  std::unordered_map<std::string, ir::Value*> arguments_;
};

}  // namespace

Step build_step(const ir::Function& traced, const StepSpec& spec) {
  Step step;
  step.function = ir::clone(traced);
  ir::Function& f = *step.function;

  std::vector<std::string> outputs = {spec.loss};
  outputs.insert(outputs.end(), spec.metrics.begin(), spec.metrics.end());
  std::vector<NamedResult> results = named_results(f, outputs, "step");
  const std::vector<ir::Value*> parameters = find_arguments(f, spec.trainable, "step");
  std::vector<NamedResult> updates;
  for (std::size_t i = 0; i < f.results.size(); ++i)
    if (f.results[i].updates >= 0) updates.push_back({f.body.results[i], f.results[i]});

  ir::Builder builder(f.body);
  ir::Value* loss = results.front().value;
  StepContext context(f, builder, loss, parameters, std::move(updates));
  ir::Value* differentiated = loss;
  if (!spec.loss_scale.empty()) {
    ir::Value* scale = context.state(spec.loss_scale, loss->type, spec.initial_loss_scale);
    differentiated = ops::mul({builder, loss}, {builder, scale}).value;
  }
  std::vector<std::size_t> independent;
  context.set_gradients(gradients(builder, differentiated, parameters, &independent));
  step.independent = names_at(spec.trainable, independent);

  builder.location.edit().role = "update";
  if (spec.update) spec.update(context);
  step.states = std::move(context.added_states);
  results.insert(results.end(), context.extra_results.begin(), context.extra_results.end());
  results.insert(results.end(), context.updates.begin(), context.updates.end());
  set_results(f, results);
  f.name = spec.name;
  ir::remove_unread(f);  // all checks stay: they guard the state
  return step;
}

std::unique_ptr<ir::Function> forward_only(const ir::Function& traced, const std::string& name,
                                           const std::vector<std::string>& outputs) {
  std::unique_ptr<ir::Function> f = ir::clone(traced);
  set_results(*f, named_results(*f, outputs, "forward"));
  f->name = name;
  ir::keep_needed(*f);
  return f;
}

Step gradients_only(const ir::Function& traced, const std::string& name, const std::string& loss,
                    const std::vector<std::string>& wrt, const std::vector<std::string>& outputs) {
  Step step;
  step.function = ir::clone(traced);
  ir::Function& f = *step.function;
  std::vector<NamedResult> results = named_results(f, outputs, "gradient");
  ir::Value* loss_value = find_result(f, loss, "gradient");
  ir::Builder builder(f.body);
  std::vector<std::size_t> independent;
  const std::vector<ir::Value*> derivatives =
      gradients(builder, loss_value, find_arguments(f, wrt, "gradient"), &independent);
  step.independent = names_at(wrt, independent);
  for (std::size_t i = 0; i < wrt.size(); ++i) results.push_back({derivatives[i], {"d." + wrt[i], -1}});
  set_results(f, results);
  f.name = name;
  ir::keep_needed(f);
  return step;
}

}  // namespace pullback::autodiff
