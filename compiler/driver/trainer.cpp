// Trainer: a graph's loss and an optimizer made into one step.
#include <pullback/trainer.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/step.h"
#include "compiler/driver/parameter_groups.h"
#include "compiler/driver/program_impl.h"
#include "compiler/driver/training_state.h"
#include "compiler/driver/training_step.h"
#include "compiler/driver/update.h"
#include "compiler/frontend/extract.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/raw_difference.h"
#include "compiler/frontend/warnings.h"
#include "compiler/ir/text.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"
#include "runtime/finite.h"
#include "runtime/monitor.h"
#include "runtime/names.h"

namespace pullback {

namespace {

constexpr const char* kLoss = "loss";

void require_scalars(const TrainerOptions& options, const SourceLine& line) {
  const Tensor& loss = options.loss;
  if (!loss.defined()) throw Error("Trainer: there is no loss: set .loss", line);
  if (!is_float(loss.dtype()) || loss.rank() != 0)
    throw Error(fmt::format("Trainer: the loss is {}: a floating scalar is needed; {}", loss.type_string(),
                            is_float(loss.dtype()) ? "reduce it with mean() or sum()" : "cast() it"),
                line);
  if (!options.optimizer.update && !options.optimizer.rule)
    throw Error("Trainer: there is no optimizer: set .optimizer", line);
  for (const auto& [name, metric] : options.metrics)
    if (!metric.defined() || metric.rank() != 0)
      throw Error(fmt::format("Trainer: metric {} is {}: a scalar is needed; reduce it with mean() or sum()", name,
                              metric.defined() ? metric.type_string() : "undefined"),
                  line);
}

// A size that is a symbol is asked for 0 when it gets its number.
void require_elements(const ir::Value& input, const SourceLine& line) {
  for (const Dim& size : input.type.shape)
    if (size == Dim(0))
      throw Error(fmt::format("Trainer: input {} is {}: a size-0 batch, there is nothing to train on", input.name,
                              ir::to_string(input.type)),
                  line);
}

std::shared_ptr<Program::Impl> make_program(std::shared_ptr<const driver::FunctionSource> source,
                                            const std::shared_ptr<State>& state, const CompileOptions& options) {
  auto impl = std::make_shared<Program::Impl>();
  impl->source = std::move(source);
  impl->state = state;
  impl->options = options;
  return impl;
}

void require_at_least_zero(const char* option, const std::optional<double>& value, const SourceLine& line) {
  if (value && !(*value >= 0 && std::isfinite(*value)))
    throw Error(fmt::format("Trainer: {} is {}: it must be a finite number of at least 0", option, *value), line);
}

void require_options(const TrainerOptions& options, const SourceLine& line) {
  if (options.clip_norm && !(*options.clip_norm > 0))
    throw Error(fmt::format("Trainer: clip_norm is {}: it must be above 0, or no weight moves", *options.clip_norm),
                line);
  require_at_least_zero("clip_value", options.clip_value, line);
  if (options.accumulate < 1)
    throw Error(fmt::format("Trainer: accumulate is {}: it must be at least 1", options.accumulate), line);
  if (options.ema && !(options.ema->decay >= 0 && options.ema->decay < 1))
    throw Error(fmt::format("Trainer: ema.decay is {}: it must lie in [0, 1)", options.ema->decay), line);
  if (const auto& scale = options.loss_scale;
      scale && !(scale->initial >= 1 && scale->growth >= 1 && scale->backoff > 0 && scale->backoff <= 1 &&
                 scale->interval >= 1 && std::isfinite(scale->initial) && std::isfinite(scale->growth)))
    throw Error(fmt::format("Trainer: loss_scale has initial {}, growth {}, backoff {}, interval {}: finite "
                            "numbers of at least 1, at least 1, in (0, 1], and at least 1 are needed",
                            scale->initial, scale->growth, scale->backoff, scale->interval),
                line);
  for (const ParameterGroup& group : options.groups) {
    if (group.parameters.empty()) throw Error("Trainer: a group has no parameters: give names or patterns", line);
    require_at_least_zero("a group's lr", group.lr, line);
    require_at_least_zero("a group's lr_scale", group.lr_scale, line);
    require_at_least_zero("a group's weight_decay", group.weight_decay, line);
  }
  if (options.schedule.momentum && !options.optimizer.has_momentum)
    throw Error(fmt::format("Trainer: {} moves the momentum, but {} has none: set .cycle_momentum = false",
                            options.schedule.name, options.optimizer.name),
                line);
  std::set<std::string> names{kLoss, driver::kGradientNorm, driver::kLearningRate, driver::kMomentum};
  for (const auto& metric : options.metrics)
    if (metric.first.empty())
      throw Error("Trainer: a metric has no name: give it one", line);
    else if (!names.insert(metric.first).second)
      throw Error(fmt::format("Trainer: a second number is called {}: name the metric otherwise", metric.first), line);
}

void set_rate(State& state, const std::string& name, double rate, const SourceLocation& where) {
  if (!(rate >= 0) || std::isinf(rate))
    throw Error(fmt::format("Trainer: the learning rate {} is no finite number of at least 0", rate), where);
  state.set(name, Array::scalar(rate), where);
}

// The function reading the averages of the weights wherever it has some.
std::shared_ptr<const ir::Function> with_averages(const ir::Function& function, const State& state,
                                                  const std::string& prefix) {
  std::shared_ptr<ir::Function> averaged = ir::clone(function);
  for (std::size_t i = 0; i < averaged->roles.size(); ++i) {
    ir::Value& argument = *averaged->body.arguments[i];
    const std::string name = driver::average_name(prefix, argument.name);
    if (averaged->roles[i] == ir::ArgumentRole::state && state.contains(name)) argument.name = name;
  }
  return averaged;
}

}  // namespace

struct Trainer::Impl {
  Graph graph;
  TrainerOptions options;
  std::string prefix;  ///< of what it keeps in the state
  std::shared_ptr<const driver::HostSchedule> schedule;
  Program training;
  std::size_t traced_ops = 0;  ///< of the graph, when the training step was made of it
  std::vector<std::string> input_names;
  std::vector<std::tuple<const ir::Value*, Weights, Program>> predictors;

  /// The step bound last by train_batch (0) and by evaluations (1, 2), and the memory that it reads.
  struct Bound {
    std::vector<std::pair<const void*, std::vector<std::int64_t>>> memory;
    std::unique_ptr<BoundStep> step;
  };
  Bound bound[3];
  Weights evaluated = Weights::trained;   ///< what evaluate_batch uses
  std::optional<Program> evaluations[2];  ///< made when they are asked for; the second reads averages of the weights

  Impl(const Graph& g, const TrainerOptions& o) : graph(g), options(o) {
    if (!options.name.empty()) prefix = options.name + ".";
    schedule = std::make_shared<driver::HostSchedule>(options.schedule, prefix);
  }

  std::vector<detail::NamedTensor> outputs() const;
  std::vector<std::string> parameters_of(const ir::Function& traced) const;
  void build_step(const std::shared_ptr<const ir::Function>& traced, const SourceLocation& where);
  void require_averages(Weights weights, const SourceLine& line) const;
  Program& evaluation(Weights weights);
  void run_batch(Program& program, Bound& last, std::span<const Array> batch, std::span<double> results);
  std::vector<Feed> feeds_of(std::span<const Array> batch, const SourceLine& line) const;
};

Trainer::Trainer(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

Trainer::Impl& Trainer::impl(const SourceLocation& where) const {
  if (!impl_) throw Error("Trainer: it was moved from, so there is nothing to train", where);
  return *impl_;
}

std::vector<detail::NamedTensor> Trainer::Impl::outputs() const {
  std::vector<detail::NamedTensor> outputs{{kLoss, options.loss}};
  for (const auto& [name, metric] : options.metrics) outputs.push_back({name, metric});
  return outputs;
}

// The graph's parameters that the loss or a metric depends on; warns of the others.
std::vector<std::string> Trainer::Impl::parameters_of(const ir::Function& traced) const {
  std::vector<std::string> names;
  std::unordered_set<std::string_view> read;
  for (const auto& argument : traced.body.arguments) read.insert(argument->name);
  for (const Tensor& parameter : graph.parameters()) {
    if (graph.is_frozen(parameter)) continue;
    if (read.contains(parameter.name()))
      names.push_back(parameter.name());
    else
      detail::warn(autodiff::independence_warning(parameter.name(), kLoss));
  }
  return names;
}

void Trainer::Impl::build_step(const std::shared_ptr<const ir::Function>& traced, const SourceLocation& where) {
  const SourceLine line(where);
  detail::Trace& trace = *graph.trace();
  const driver::Grouping grouping = driver::group_parameters(options, parameters_of(*traced), line);
  std::vector<std::string> metrics;
  for (const auto& metric : options.metrics) metrics.push_back(metric.first);
  std::optional<LossScale> scale = options.loss_scale;
  if (!scale && options.compile.precision == DType::f16) scale.emplace();
  const driver::UpdateSpec update{options, prefix, scale, grouping.groups, where};
  autodiff::StepSpec spec{graph.name() + ".step", kLoss, metrics, grouping.trained, driver::update_builder(update)};
  if (scale) {
    spec.loss_scale = prefix + driver::kLossScale;
    spec.initial_loss_scale = scale->initial;
  }
  driver::TrainingStep step = driver::training_step(traced, spec, driver::update_identity(update), read_environment());
  for (const std::string& unused : step.independent) detail::warn(autodiff::independence_warning(unused, kLoss));
  std::vector<autodiff::AddedState> added = std::move(step.states);
  for (autodiff::AddedState& entry : schedule->added_states()) added.push_back(std::move(entry));
  driver::add_training_state(trace, options.name, options.optimizer.name, added, line);

  // Finding the code takes a while, too.
  const auto program = make_program(step.function, trace.growing_state, options.compile);
  program->finish_values = [recorded = graph.trace()] { recorded->first_values.finish(); };
  // The text of a large network takes longer than its making: written when it is asked for.
  program->earlier = {{Stage::tensor, [traced] { return ir::print(*traced); }},
                      {Stage::gradient,
                       [traced, name = graph.name() + ".grad", trained = grouping.trained] {
                         return ir::print(*autodiff::gradients_only(*traced, name, kLoss, trained, {kLoss}).function);
                       }},
                      {Stage::step, [source = step.function] { return ir::print(*source->whole()); }}};
  if (schedule->feeds()) program->before_step = [host = schedule, state = trace.state()] { host->feed(*state); };
  const DumpSink dump(read_environment());
  for (const auto& [stage, text] : program->earlier)
    if (dump.wants(stage)) dump.write(stage, program->declaration().name, text());
  training = Program(program);
}

void Trainer::Impl::require_averages(Weights weights, const SourceLine& line) const {
  if (weights == Weights::averaged && !options.ema)
    throw Error("Trainer: there are no averages of the weights: set .ema", line);
}

Trainer::Trainer(const Graph& graph, const TrainerOptions& options, SourceLocation where)
    : impl_(std::make_unique<Impl>(graph, options)) {
  require_scalars(options, where);
  require_options(options, where);
  detail::Trace& trace = *graph.trace();
  impl().traced_ops = trace.function().body.ops.size();
  const std::shared_ptr<const ir::Function> traced =
      detail::extract(trace, graph.name(), impl().outputs(), true, where).function;
  for (std::size_t i = 0; i < traced->roles.size(); ++i) {
    if (traced->roles[i] != ir::ArgumentRole::input) continue;
    require_elements(*traced->body.arguments[i], where);
    impl().input_names.push_back(traced->body.arguments[i]->name);
  }
  impl().build_step(traced, where);
  if (const auto warning = detail::raw_difference_warning(options.loss, graph.parameters()))
    detail::warn("Trainer: " + *warning);
  if (options.ema && options.ema->validate) impl().evaluated = Weights::averaged;
}

Program& Trainer::Impl::evaluation(Weights weights) {
  std::optional<Program>& program = evaluations[weights == Weights::averaged ? 1 : 0];
  if (program) return *program;
  detail::Trace& trace = *graph.trace();
  std::shared_ptr<const ir::Function> function =
      detail::extract(trace, graph.name() + ".eval", outputs(), false, {}, traced_ops).function;
  if (weights == Weights::averaged) function = with_averages(*function, *trace.state(), prefix);
  return program.emplace(Program(
      make_program(std::make_shared<driver::FunctionSource>(std::move(function)), trace.state(), options.compile)));
}

std::vector<std::string> Trainer::inputs() const {
  return impl().input_names;
}

std::vector<std::string> Trainer::metrics() const {
  std::vector<std::string> names;
  for (const auto& metric : impl().options.metrics) names.push_back(metric.first);
  return names;
}

std::vector<std::string> Trainer::training_metrics() const {
  std::vector<std::string> names;
  if (impl().options.gradient_norm) names.push_back(driver::kGradientNorm);
  if (!impl().options.schedule.empty()) names.push_back(driver::kLearningRate);
  return names;
}

std::vector<Feed> Trainer::Impl::feeds_of(std::span<const Array> batch, const SourceLine& line) const {
  if (batch.size() != input_names.size())
    throw Error(fmt::format("{}: {} arrays are given for {} inputs", graph.name(), batch.size(), input_names.size()),
                line);
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < batch.size(); ++i) feeds.emplace_back(input_names[i], batch[i]);
  return feeds;
}

void Trainer::Impl::run_batch(Program& program, Bound& last, std::span<const Array> batch, std::span<double> results) {
  std::vector<std::pair<const void*, std::vector<std::int64_t>>> memory;
  for (const Array& array : batch) memory.emplace_back(array.raw(), array.dims());
  if (!last.step || memory != last.memory) {
    last.step = std::make_unique<BoundStep>(driver::bind(program.impl(), feeds_of(batch, {}), {}));
    last.memory = std::move(memory);
  }
  last.step->step();
  for (std::size_t i = 0; i < results.size(); ++i) results[i] = last.step->outputs()[i].item();
}

void Trainer::train_batch(std::span<const Array> batch, std::span<double> results) {
  impl().run_batch(impl().training, impl().bound[0], batch, results);
}

void Trainer::evaluate_batch(std::span<const Array> batch, std::span<double> results) {
  const bool averaged = impl().evaluated == Weights::averaged;
  impl().run_batch(impl().evaluation(impl().evaluated), impl().bound[averaged ? 2 : 1], batch, results);
}

State& Trainer::state() {
  return *impl().graph.state();
}

History Trainer::fit(const data::Dataset& dataset, const FitOptions& options, SourceLocation where) {
  impl(where);
  return pullback::fit(*this, dataset, options, where);
}

Evaluation Trainer::evaluate(const data::Dataset& dataset, std::int64_t batch_size, Weights weights,
                             SourceLocation where) {
  impl(where).require_averages(weights, where);
  struct Restore {
    Weights& target;
    Weights before;
    ~Restore() { target = before; }
  } restore{impl().evaluated, impl().evaluated};
  impl().evaluated = weights;
  return pullback::evaluate(*this, dataset, batch_size, where);
}

void Trainer::end_epoch() {
  impl().schedule->end_epoch(state());
}

void Trainer::end_epoch(double monitored) {
  const std::optional<ReduceLROnPlateau>& plateau = impl().options.schedule.plateau;
  if (plateau)
    impl().schedule->watch(state(), plateau->monitor.name.empty() ? kLoss : plateau->monitor.name, monitored);
  end_epoch();
}

void Trainer::end_epoch(const EpochRecord& record) {
  const std::optional<ReduceLROnPlateau>& plateau = impl().options.schedule.plateau;
  if (plateau) {
    std::vector<std::string> names = metrics();
    for (std::string& name : training_metrics()) names.push_back(std::move(name));
    const std::string& asked = plateau->monitor.name;
    const std::string name = !asked.empty() ? asked : record.val_loss ? "val_loss" : kLoss;
    const std::optional<double> value = runtime::record_value(record, names, name);
    if (!value)
      throw Error(fmt::format("ReduceLROnPlateau: there is no '{}' to monitor{}", name,
                              runtime::suggestion(name, runtime::record_names(names, record.val_loss.has_value()))));
    impl().schedule->watch(state(), name, *value);
  }
  end_epoch();
}

// [784] where [batch,784] is expected: a batch of one.
static Array as_batch(const Array& array, const ir::Type& type) {
  if (array.dims().size() + 1 != type.rank() || type.shape.front().is_constant()) return array;
  std::vector<std::int64_t> dims = array.dims();
  dims.insert(dims.begin(), 1);
  return array.reshape(std::move(dims));
}

static std::vector<Feed> as_batches(const std::vector<Feed>& feeds, const ir::Function& function) {
  std::vector<Feed> batches = feeds;
  for (Feed& feed : batches)
    for (std::size_t i = 0; i < function.roles.size(); ++i) {
      const ir::Value& argument = *function.body.arguments[i];
      if (function.roles[i] == ir::ArgumentRole::input && argument.name == feed.name)
        feed.value = as_batch(feed.value, argument.type);
    }
  return batches;
}

static void require_finite(const std::vector<Feed>& feeds, const SourceLocation& where) {
  for (const Feed& feed : feeds)
    if (const auto bad = runtime::first_not_finite(feed.value))
      throw Error(fmt::format("observe: element {} of input {} is {}: numbers must be finite; the state is unchanged",
                              *bad, feed.name, runtime::element_of(feed.value, *bad)),
                  where);
}

double Trainer::observe(const std::vector<Array>& inputs, SourceLocation where) {
  return observe(impl(where).feeds_of(inputs, where), where);
}

double Trainer::observe(const std::vector<Feed>& inputs, SourceLocation where) {
  Program& training = impl(where).training;
  require_finite(inputs, where);
  return training.step(as_batches(inputs, training.impl()->declaration()), where)[kLoss].item();
}

Array Trainer::predict(const Tensor& output, const std::vector<Feed>& inputs, SourceLocation where) {
  return predict(output, inputs, Weights::trained, where);
}

Array Trainer::predict(const Tensor& output, const std::vector<Feed>& inputs, Weights weights, SourceLocation where) {
  impl(where).require_averages(weights, where);
  auto& predictors = impl().predictors;
  auto known = std::find_if(predictors.begin(), predictors.end(), [&](const auto& entry) {
    return std::get<0>(entry) == output.value() && std::get<1>(entry) == weights;
  });
  if (known == predictors.end()) {
    Function function = impl().graph.function({output}, where);
    if (weights == Weights::averaged)
      function = Function(with_averages(function.ir(), state(), impl().prefix), function.state());
    known = predictors.insert(known, {output.value(), weights, function.compile(impl().options.compile)});
  }
  Program& program = std::get<2>(*known);
  return program.step(as_batches(inputs, program.impl()->declaration()), where)[0];
}

void Trainer::save(const std::string& path, SourceLocation where) const {
  impl(where).graph.state()->save(path, where);
}

void Trainer::load(const std::string& path, SourceLocation where) {
  impl(where).graph.state()->load(path, where);
}

double Trainer::learning_rate() const {
  return impl().graph.state()->get(impl().prefix + driver::kLearningRate).item();
}

void Trainer::set_learning_rate(double rate, SourceLocation where) {
  set_rate(*impl(where).graph.state(), impl(where).prefix + driver::kLearningRate, rate, where);
}

double Trainer::learning_rate(std::size_t group, SourceLocation where) const {
  return impl(where).graph.state()->get(driver::group_rate_name(impl(where).prefix, group), where).item();
}

void Trainer::set_learning_rate(double rate, std::size_t group, SourceLocation where) {
  set_rate(*impl(where).graph.state(), driver::group_rate_name(impl(where).prefix, group), rate, where);
}

Program& Trainer::program() {
  return impl().training;
}

Program& Trainer::evaluation_program() {
  return impl().evaluation(Weights::trained);
}

}  // namespace pullback
