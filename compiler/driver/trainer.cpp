// Trainer: a graph's loss and an optimizer made into one step.
#include <pullback/trainer.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/step.h"
#include "compiler/driver/program_impl.h"
#include "compiler/driver/update.h"
#include "compiler/frontend/extract.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/warnings.h"
#include "compiler/ir/text.h"
#include "compiler/support/dump.h"
#include "compiler/support/environment.h"

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
  if (!options.optimizer.update) throw Error("Trainer: there is no optimizer: set .optimizer", line);
  for (const auto& [name, metric] : options.metrics)
    if (!metric.defined() || metric.rank() != 0)
      throw Error(fmt::format("Trainer: metric {} is {}: a scalar is needed; reduce it with mean() or sum()", name,
                              metric.defined() ? metric.type_string() : "undefined"),
                  line);
}

std::shared_ptr<Program::Impl> make_program(std::shared_ptr<const ir::Function> function,
                                            const std::shared_ptr<State>& state, const CompileOptions& options) {
  auto impl = std::make_shared<Program::Impl>();
  impl->function = std::move(function);
  impl->state = state;
  impl->options = options;
  return impl;
}

// What the optimizer keeps begins anew: entries that another Trainer of this graph left are reset.
void add_states(State& state, const std::vector<autodiff::AddedState>& added) {
  for (const autodiff::AddedState& entry : added) {
    const ir::Literal literal = ir::Literal::filled(entry.type.dtype, ir::static_dims(entry.type.shape), entry.initial);
    Array initial(literal.dtype, literal.dims);
    std::memcpy(initial.raw(), literal.bytes.data(), literal.bytes.size());
    const StateKind kind = entry.type.shape.empty() ? StateKind::counter : StateKind::slot;
    if (state.contains(entry.name))
      state.set(entry.name, initial);
    else
      state.add(entry.name, kind, initial);
  }
}

}  // namespace

struct Trainer::Impl {
  Graph graph;
  TrainerOptions options;
  Program training, evaluation;
  std::vector<std::string> input_names;
  std::vector<ir::Type> input_types;
  std::vector<std::pair<const ir::Value*, Program>> predictors;

  /// The step bound last by train_batch (0) and evaluate_batch (1), and the memory that it reads.
  struct Bound {
    std::vector<std::pair<const void*, std::vector<std::int64_t>>> memory;
    std::unique_ptr<BoundStep> step;
  };
  Bound bound[2];

  Impl(const Graph& g, const TrainerOptions& o) : graph(g), options(o) {}

  void run_batch(Program& program, Bound& last, std::span<const Array> batch, std::span<double> results);
  std::vector<Feed> feeds_of(std::span<const Array> batch) const;
};

Trainer::Trainer(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

Trainer::Trainer(const Graph& graph, const TrainerOptions& options, SourceLocation where)
    : impl_(std::make_unique<Impl>(graph, options)) {
  require_scalars(options, where);
  detail::Trace& trace = *graph.trace();
  std::vector<detail::NamedTensor> outputs{{kLoss, options.loss}};
  for (const auto& [name, metric] : options.metrics) outputs.push_back({name, metric});
  std::shared_ptr<const ir::Function> traced = detail::extract(trace, graph.name(), outputs, true, where).function;
  std::shared_ptr<const ir::Function> evaluated =
      detail::extract(trace, graph.name() + ".eval", outputs, false, where).function;

  std::vector<std::string> trainable, metrics;
  for (const Tensor& parameter : graph.parameters()) {
    const auto& arguments = traced->body.arguments;
    if (std::any_of(arguments.begin(), arguments.end(), [&](const auto& a) { return a->name == parameter.name(); }))
      trainable.push_back(parameter.name());
    else
      detail::warn(autodiff::independence_warning(parameter.name(), kLoss));
  }
  for (const auto& metric : options.metrics) metrics.push_back(metric.first);

  autodiff::Step step = autodiff::build_step(
      *traced, {graph.name() + ".step", kLoss, metrics, trainable, driver::update_builder(options.optimizer)});
  for (const std::string& unused : step.independent) detail::warn(autodiff::independence_warning(unused, kLoss));
  add_states(*trace.state, step.states);
  for (std::size_t i = 0; i < traced->roles.size(); ++i) {
    if (traced->roles[i] != ir::ArgumentRole::input) continue;
    impl_->input_names.push_back(traced->body.arguments[i]->name);
    impl_->input_types.push_back(traced->body.arguments[i]->type);
  }

  const auto training = make_program(std::move(step.function), trace.state, options.compile);
  const autodiff::Step gradient = autodiff::gradients_only(*traced, graph.name() + ".grad", kLoss, trainable, {kLoss});
  training->earlier = {{Stage::tensor, ir::print(*traced)},
                       {Stage::gradient, ir::print(*gradient.function)},
                       {Stage::step, ir::print(*training->function)}};
  const DumpSink dump(read_environment());
  for (const auto& [stage, text] : training->earlier) dump.write(stage, training->function->name, text);
  impl_->training = Program(training);
  impl_->evaluation = Program(make_program(std::move(evaluated), trace.state, options.compile));
}

std::vector<std::string> Trainer::inputs() const {
  return impl_->input_names;
}

std::vector<std::string> Trainer::metrics() const {
  std::vector<std::string> names;
  for (const auto& metric : impl_->options.metrics) names.push_back(metric.first);
  return names;
}

std::vector<Feed> Trainer::Impl::feeds_of(std::span<const Array> batch) const {
  if (batch.size() != input_names.size())
    throw Error(fmt::format("{}: {} arrays are given for {} inputs", graph.name(), batch.size(), input_names.size()));
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < batch.size(); ++i) feeds.emplace_back(input_names[i], batch[i]);
  return feeds;
}

void Trainer::Impl::run_batch(Program& program, Bound& last, std::span<const Array> batch, std::span<double> results) {
  std::vector<std::pair<const void*, std::vector<std::int64_t>>> memory;
  for (const Array& array : batch) memory.emplace_back(array.raw(), array.dims());
  if (!last.step || memory != last.memory) {
    last.step = std::make_unique<BoundStep>(driver::bind(program.impl(), feeds_of(batch), {}));
    last.memory = std::move(memory);
  }
  last.step->step();
  for (std::size_t i = 0; i < results.size(); ++i) results[i] = last.step->outputs()[i].item();
}

void Trainer::train_batch(std::span<const Array> batch, std::span<double> results) {
  impl_->run_batch(impl_->training, impl_->bound[0], batch, results);
}

void Trainer::evaluate_batch(std::span<const Array> batch, std::span<double> results) {
  impl_->run_batch(impl_->evaluation, impl_->bound[1], batch, results);
}

State& Trainer::state() {
  return *impl_->graph.state();
}

History Trainer::fit(const data::Dataset& dataset, const FitOptions& options) {
  return pullback::fit(*this, dataset, options);
}

Evaluation Trainer::evaluate(const data::Dataset& dataset, std::int64_t batch_size) {
  return pullback::evaluate(*this, dataset, batch_size);
}

// [784] where [batch,784] is expected: a batch of one.
static Array as_batch(const Array& array, const ir::Type& type) {
  if (array.dims().size() + 1 != type.rank() || type.shape.front().is_constant()) return array;
  std::vector<std::int64_t> dims = array.dims();
  dims.insert(dims.begin(), 1);
  return array.reshape(std::move(dims));
}

double Trainer::observe(const std::vector<Array>& inputs, SourceLocation where) {
  return observe(impl_->feeds_of(inputs), where);
}

double Trainer::observe(const std::vector<Feed>& inputs, SourceLocation where) {
  std::vector<Feed> feeds = inputs;
  for (Feed& feed : feeds)
    for (std::size_t i = 0; i < impl_->input_names.size(); ++i)
      if (impl_->input_names[i] == feed.name) feed.value = as_batch(feed.value, impl_->input_types[i]);
  return impl_->training.step(feeds, where)[kLoss].item();
}

Array Trainer::predict(const Tensor& output, const std::vector<Feed>& inputs, SourceLocation where) {
  auto& predictors = impl_->predictors;
  auto known = std::find_if(predictors.begin(), predictors.end(),
                            [&](const auto& entry) { return entry.first == output.value(); });
  if (known == predictors.end()) {
    predictors.emplace_back(output.value(), impl_->graph.compile({output}, impl_->options.compile, where));
    known = predictors.end() - 1;
  }
  return known->second.step(inputs, where)[0];
}

void Trainer::save(const std::string& path) const {
  impl_->graph.state()->save(path);
}

void Trainer::load(const std::string& path) {
  impl_->graph.state()->load(path);
}

double Trainer::learning_rate() const {
  return impl_->graph.state()->get(driver::kLearningRate).item();
}

void Trainer::set_learning_rate(double rate) {
  if (!(rate >= 0)) throw Error(fmt::format("the learning rate {} is no number of at least 0", rate));
  impl_->graph.state()->set(driver::kLearningRate, Array::scalar(rate));
}

Program& Trainer::program() {
  return impl_->training;
}

Program& Trainer::evaluation_program() {
  return impl_->evaluation;
}

}  // namespace pullback
