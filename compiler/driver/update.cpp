#include "compiler/driver/update.h"

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/trace.h"
#include "compiler/support/pointer_map.h"

namespace pullback::driver {

std::string group_rate_name(const std::string& prefix, std::size_t group) {
  return fmt::format("{}{}.{}", prefix, kLearningRate, group);
}

std::string average_name(const std::string& prefix, const std::string& parameter) {
  return fmt::format("{}ema.{}", prefix, parameter);
}

namespace {

/// The update of one step while it is written.
class StepUpdate final : public Update {
 public:
  StepUpdate(const UpdateSpec& spec, autodiff::UpdateContext& context)
      : spec_(spec),
        options_(spec.options),
        context_(context),
        trace_(std::make_shared<detail::Trace>(context.build())) {
    trace_->reuse_equal_ops();  // rates and corrections are the same for all parameters
  }

  void write();

  const std::vector<Parameter>& parameters() const override { return parameters_; }
  Tensor loss() const override { return trace_->wrap(context_.loss()); }
  Tensor step() const override { return step_; }
  bool momentum_scheduled() const override { return momentum_.defined(); }
  Tensor momentum(double own) const override { return momentum_.defined() ? momentum_ : step_ * 0.0 + own; }
  using Update::slot;
  Tensor slot(const std::string& name, DType dtype, const Shape& shape, double initial) override {
    return state(fmt::format("{}.{}", options_.optimizer.name, name), {dtype, shape}, initial);
  }
  void set(const Tensor& value_or_slot, const Tensor& next) override;

 private:
  Tensor state(const std::string& name, ir::Type type, double initial = 0) {
    return trace_->wrap(context_.state(spec_.prefix + name, std::move(type), initial));
  }
  void read_parameters();
  void unscale();
  void accumulate();
  void clip();
  void schedule();
  Tensor scheduled(const ScheduleInputs& inputs, const Tensor& base) const;
  void average();

  const UpdateSpec& spec_;
  const TrainerOptions& options_;
  autodiff::UpdateContext& context_;
  std::shared_ptr<detail::Trace> trace_;
  std::vector<Parameter> parameters_;
  PointerMap<std::size_t> positions_;  // of the parameters' values
  std::vector<Tensor> next_;           // of the parameters, for the averages
  Tensor count_, step_, momentum_;
  Tensor applies_;  // bool: this step updates; undefined: every step does
};

void StepUpdate::set(const Tensor& value_or_slot, const Tensor& next) {
  if (!value_or_slot.defined() || !next.defined() || !(value_or_slot.value()->type == next.value()->type))
    throw Error(fmt::format("optimizer {}: the rule sets {} {} to {}: the types must agree", options_.optimizer.name,
                            value_or_slot.defined() ? value_or_slot.name() : "",
                            value_or_slot.defined() ? value_or_slot.type_string() : "an undefined tensor",
                            next.defined() ? next.type_string() : "an undefined tensor"));
  const Tensor value = applies_.defined() ? where(applies_, next, value_or_slot) : next;
  context_.update(value_or_slot.value(), value.value());
  if (const std::size_t* parameter = positions_.find(value_or_slot.value())) next_[*parameter] = next;
}

void StepUpdate::read_parameters() {
  for (std::size_t i = 0; i < context_.parameters().size(); ++i) {
    ir::Value* value = context_.parameters()[i];
    Parameter parameter{value->name, trace_->wrap(value), trace_->wrap(context_.gradients()[i]), {}, {}};
    const auto group = spec_.groups.find(value->name);
    if (group != spec_.groups.end()) parameter.weight_decay = options_.groups[group->second].weight_decay;
    positions_[value] = i;
    parameters_.push_back(std::move(parameter));
  }
  next_.resize(parameters_.size());
}

// Gradients of the scaled loss become those of the loss. Where one has overflowed, this step updates nothing and the
// scale falls; after a while without overflow it rises again (Micikevicius et al. 2018).
void StepUpdate::unscale() {
  if (!spec_.loss_scale) return;
  const LossScale& options = *spec_.loss_scale;
  constexpr double kLargestScale = 0x1p64;  // where gradients are 0 it would grow until it is infinite, for good
  const Tensor scale = state(kLossScale, context_.loss()->type, options.initial);
  const Tensor good = state(std::string(kLossScale) + ".good", {i64, {}});
  Tensor overflow = step_ * 0.0;  // NaN as soon as one gradient is infinite or NaN
  for (Parameter& p : parameters_) {
    p.gradient = p.gradient / cast(scale, p.gradient.dtype());
    overflow = overflow + cast(sum(p.gradient * 0.0), f64);
  }
  const Tensor finite = equal(overflow, 0.0);
  const Tensor grows = finite & (good + 1 >= options.interval);
  set(scale, where(finite, where(grows, minimum(scale * options.growth, kLargestScale), scale),
                   maximum(scale * options.backoff, 1.0)));
  set(good, where(finite & !grows, good + 1, 0));
  applies_ = finite;
}

// Sums up gradients until enough steps have given theirs; each step works with the mean so far.
void StepUpdate::accumulate() {
  if (options_.accumulate == 1) return;
  const Tensor count = state("accumulation", {i64, {}});
  const Tensor now = count + 1;
  const Tensor complete = now >= options_.accumulate;
  for (Parameter& p : parameters_) {
    const Tensor sum_so_far = state("accumulated." + p.name, p.value.value()->type);
    const Tensor total = sum_so_far + p.gradient;
    set(sum_so_far, where(complete, 0.0, total));
    p.gradient = total / cast(now, total.dtype());
  }
  set(count, where(complete, 0, now));
  applies_ = applies_.defined() ? applies_ & complete : complete;
}

void StepUpdate::clip() {
  if (options_.clip_norm || options_.gradient_norm) {
    Tensor squares = step_ * 0.0;
    for (const Parameter& p : parameters_) squares = squares + cast(sum(square(p.gradient)), f64);
    const Tensor norm = sqrt(squares);
    if (options_.gradient_norm) context_.result(kGradientNorm, norm.value());
    if (options_.clip_norm) {
      const Tensor factor = minimum(*options_.clip_norm / (norm + 1e-6), 1.0);
      for (Parameter& p : parameters_) p.gradient = p.gradient * cast(factor, p.gradient.dtype());
    }
  }
  if (options_.clip_value)
    for (Parameter& p : parameters_) p.gradient = clamp(p.gradient, -*options_.clip_value, *options_.clip_value);
}

Tensor StepUpdate::scheduled(const ScheduleInputs& inputs, const Tensor& base) const {
  if (options_.schedule.empty()) return base;
  return options_.schedule.rate({inputs.time, base, inputs.fed});
}

void StepUpdate::schedule() {
  const Schedule& schedule = options_.schedule;
  const Tensor base = state(kLearningRate, {f64, {}}, options_.optimizer.learning_rate);
  ScheduleInputs inputs;
  const Tensor time = schedule.counts_epochs ? state(kEpoch, {i64, {}}) : count_;
  inputs.time = cast(time, f64);
  for (std::size_t i = 0; i < schedule.fed.size(); ++i)
    inputs.fed.push_back(state(fmt::format("{}{}", kFed, i), {f64, {}}));
  if (schedule.plateau) inputs.fed.push_back(state(kPlateauScale, {f64, {}}, 1));
  if (schedule.end)
    check(time < *schedule.end,
          fmt::format("{}: {} {{}} is past its end: it lasts {} (t = 0 .. {})", schedule.name,
                      schedule.counts_epochs ? "epoch" : "step", *schedule.end, *schedule.end - 1),
          {time}, spec_.where);
  const Tensor rate = scheduled(inputs, base);
  for (Parameter& p : parameters_) {
    p.learning_rate = rate;
    const auto found = spec_.groups.find(p.name);
    if (found == spec_.groups.end()) continue;
    const ParameterGroup& group = options_.groups[found->second];
    if (group.lr) p.learning_rate = scheduled(inputs, state(group_rate_name("", found->second), {f64, {}}, *group.lr));
    if (group.lr_scale != 1) p.learning_rate = p.learning_rate * group.lr_scale;
  }
  if (schedule.empty()) return;
  context_.result(kLearningRate, rate.value());
  if (!schedule.momentum) return;
  momentum_ = schedule.momentum(inputs);
  context_.result(kMomentum, momentum_.value());
}

void StepUpdate::average() {
  if (!options_.ema) return;
  const Ema& ema = *options_.ema;
  Tensor decay = step_ * 0.0 + ema.decay;
  if (ema.warm_up) decay = minimum(decay, (1.0 + step_) / (10.0 + step_));
  decay = decay * cast(count_ > 0, f64);  // the first is a copy
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const Tensor slot = trace_->wrap(context_.copied_state(average_name(spec_.prefix, p.name), *p.value.value()));
    const Tensor weight = next_[i].defined() ? next_[i] : p.value;
    const DType dtype = weight.dtype();
    set(slot, where(count_ > 0, cast(decay, dtype) * slot + cast(1.0 - decay, dtype) * weight, weight));
  }
}

void StepUpdate::write() {
  count_ = state(kStep, {i64, {}});
  step_ = cast(count_ + 1, f64);
  read_parameters();
  unscale();
  accumulate();
  clip();
  schedule();
  options_.optimizer.rule(*this);
  average();
  set(count_, count_ + 1);
}

// A rule for one parameter, whose scalars have the parameter's dtype.
void apply_simple(const Optimizer& optimizer, Update& update) {
  for (const Update::Parameter& p : update.parameters()) {
    const DType dtype = p.value.dtype();
    UpdateInputs inputs{p.value, p.gradient, cast(p.learning_rate, dtype), cast(update.step(), dtype), {}};
    for (const std::string& slot : optimizer.slot_names) inputs.slots.push_back(update.slot(slot, p));
    const UpdateOutputs outputs = optimizer.update(inputs);
    if (outputs.slots.size() != inputs.slots.size())
      throw Error(fmt::format("optimizer {}: its rule returns {} slots for {}, but has {}", optimizer.name,
                              outputs.slots.size(), p.name, inputs.slots.size()));
    update.set(p.value, outputs.parameter);
    for (std::size_t s = 0; s < inputs.slots.size(); ++s) update.set(inputs.slots[s], outputs.slots[s]);
  }
}

}  // namespace

autodiff::UpdateBuilder update_builder(const UpdateSpec& spec) {
  UpdateSpec complete = spec;
  Optimizer& optimizer = complete.options.optimizer;
  if (!optimizer.rule) optimizer.rule = [simple = optimizer](Update& update) { apply_simple(simple, update); };
  return [complete](autodiff::UpdateContext& context) {
    context.build().location.edit().origin = complete.options.optimizer.name;
    StepUpdate(complete, context).write();
  };
}

}  // namespace pullback::driver
