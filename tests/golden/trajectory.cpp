// Training steps: loss, gradient norm, rates, and the parameters after the first and the last step.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tests/golden/run.h"
#include "tests/golden/train/training.h"

namespace pullback::golden {
namespace {

/// [a,b] -> [b,a].
Array transposed(const Array& matrix) {
  const std::int64_t rows = matrix.dims().at(0), columns = matrix.dims().at(1);
  Array result(matrix.dtype(), {columns, rows});
  const auto copy = [&](auto from, auto to) {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j)
        to[static_cast<std::size_t>(j * rows + i)] = from[static_cast<std::size_t>(i * columns + j)];
  };
  if (matrix.dtype() == f64)
    copy(matrix.values<double>(), result.values<double>());
  else
    copy(matrix.values<float>(), result.values<float>());
  return result;
}

/// The loss is named by its function: "mse_loss mean over all elements". Classes are the last axis of all logits.
Tensor loss_of(const Trajectory& t, const Tensor& output, const Tensor& target, const Context& context) {
  const std::string name = t.loss.substr(0, t.loss.find(' '));
  if (name == "cross_entropy") return cross_entropy(output, target);
  const Value loss = call_function(context, name, {output, target}, {});
  if (!loss.tensor()) throw Error(fmt::format("{} is no loss", name));
  return *loss.tensor();
}

/// Keeps each gradient as it is and changes nothing: what the step computes before clipping.
Optimizer gradient_probe() {
  Optimizer probe;
  probe.name = "probe";
  probe.slot_names = {"gradient"};
  probe.update = [](const UpdateInputs& in) { return UpdateOutputs{in.parameter, {in.gradient}}; };
  return probe;
}

class Run {
 public:
  Run(const Trajectory& t, DType dtype, const CompileOptions& compile)
      : t_(t),
        dtype_(dtype),
        compile_(compile),
        wide_(SafeTensors::read(t.file_f64)),
        same_(dtype == f64 ? wide_ : SafeTensors::read(t.file_f32)),
        graph_(t.name) {
    const Context context{graph_, dtype};
    const Tensor x = input("x"), y = input("y");
    network_ = build_network(t.model, t.model_arguments, x, context);
    loss_ = loss_of(t, network_.output, y, context);
    for (const std::string& parameter : t.parameters) binding(parameter);  // throws for one that the network lacks
    for (const Binding& b : network_.tensors) n_ = std::max(n_, wide_.at("init." + b.torch).size());
    options_.loss = loss_;
    options_.optimizer = build_optimizer(t.optimizer, t.optimizer_arguments, context);
    options_.schedule = build_schedule(t.schedule, t.schedule_arguments, context);
    options_.clip_norm = t.clip_grad_norm;
    options_.gradient_norm = true;
    options_.compile = compile;
  }

  std::vector<Finding> findings() {
    first_gradients();
    train();
    return std::move(findings_);
  }

 private:
  Tensor input(const std::string& name) {
    const Array& batches = same_.at("batch." + name);
    return graph_.input(name, batches.dtype(), {batches.dims().begin() + 1, batches.dims().end()});
  }

  const Binding& binding(const std::string& torch) const {
    for (const Binding& b : network_.tensors)
      if (b.torch == torch) return b;
    throw Error(fmt::format("{} has no parameter {}", t_.model, torch));
  }

  void initialize() {
    for (const Binding& b : network_.tensors) {
      const Array& initial = same_.at("init." + b.torch);
      graph_.state()->set(b.name, b.transposed ? transposed(initial) : initial);
    }
  }

  std::vector<Feed> batch(std::int64_t step) const {
    return {{"x", element(same_.at("batch.x"), step)}, {"y", element(same_.at("batch.y"), step)}};
  }

  bool meaningless(const std::string& parameter) const {
    return std::find(t_.f32_meaningless.begin(), t_.f32_meaningless.end(), parameter) != t_.f32_meaningless.end();
  }

  /// Errors relative to a scale: PyTorch's own at f32, and what a perturbation of 4e-16 does at f64, in units of f32's.
  double loss_error() const { return std::max(t_.f32_loss_error, t_.f64_loss_probe / eps_of(f64) * eps_of(f32)); }

  /// After steps of the optimizer. Adam scales the rounding of a gradient that is truly zero up to a step's size: such
  /// a parameter is compared at f64 alone, by the probe's deviation.
  void compare_state(const std::string& moment) {
    for (const Binding& b : network_.tensors) {
      const std::string key = moment + "." + b.torch;
      if (!wide_.contains(key) || (dtype_ == f32 && meaningless(b.torch))) continue;
      const double scale = largest(numbers(wide_.at(key)));
      const auto own = t_.f32_final_error.find(b.torch);
      double error = own == t_.f32_final_error.end() ? 0 : own->second;
      if (meaningless(b.torch)) error = t_.f64_final_probe / eps_of(f64) * eps_of(f32);
      const double tolerance = Tolerance{scale, scale > 0 ? error / scale : 0, n_}.at(dtype_);
      compare_value(key, graph_.state()->get(b.name).clone(), b.transposed, tolerance);
    }
  }

  void compare_value(const std::string& key, const Array& actual, bool is_transposed, double tolerance) {
    findings_.push_back(
        compare(key, is_transposed ? transposed(actual) : actual, wide_.at(key), same_.at(key), tolerance));
  }

  void first_gradients() {
    initialize();
    TrainerOptions options;
    options.loss = loss_;
    options.optimizer = gradient_probe();
    options.name = "first";
    options.compile = compile_;
    Trainer probe(graph_, options);
    probe.program().step(batch(0));
    double scale = 0;  // of all gradients: one that is truly zero has the others' rounding
    for (const std::string& parameter : t_.parameters)
      scale = std::max(scale, largest(numbers(wide_.at("grad0." + parameter))));
    for (const std::string& parameter : t_.parameters) {
      const Binding& b = binding(parameter);
      compare_value("grad0." + parameter, graph_.state()->get("first.probe.gradient." + b.name), b.transposed,
                    Tolerance{scale, loss_error(), n_}.at(dtype_));
    }
  }

  void train() {
    initialize();
    Trainer trainer(graph_, options_);
    std::vector<double> losses, norms, rates, momenta;
    for (std::int64_t step = 0; step < t_.steps; ++step) {
      const Outputs outputs = trainer.program().step(batch(step));
      losses.push_back(outputs["loss"].item());
      norms.push_back(outputs["grad_norm"].item());
      rates.push_back(t_.schedule.empty() ? trainer.learning_rate() : outputs["learning_rate"].item());
      for (const auto& [name, value] : outputs.entries())
        if (name == "momentum") momenta.push_back(value.item());
      if (t_.schedule == "ReduceLROnPlateau") trainer.end_epoch(losses.back());
      if (step == 0) compare_state("step1");
    }
    compare_state("final");
    compare_list("loss", losses, loss_error(), false);
    compare_list("grad_norm", norms, loss_error(), true);
    compare_rates("lr", rates);
    if (!momenta.empty()) compare_rates("momentum_or_beta1", momenta);
  }

  /// Numbers of each step: relative to themselves, or to the largest of them.
  void compare_list(const std::string& key, const std::vector<double>& actual, double error, bool common_scale) {
    const std::vector<double> reference = numbers(wide_.at(key));
    std::vector<double> tolerances;
    for (const double value : reference)
      tolerances.push_back(Tolerance{common_scale ? largest(reference) : std::abs(value), error, n_}.at(dtype_));
    findings_.push_back(compare_numbers(key, actual, reference, tolerances));
  }

  /// Rates are f64 whatever the network is: only the order of a few operations may differ.
  void compare_rates(const std::string& key, const std::vector<double>& actual) {
    const std::vector<double> reference = numbers(wide_.at(key));
    std::vector<double> tolerances;
    for (const double value : reference) tolerances.push_back(Tolerance{std::abs(value), 0, t_.steps}.at(f64));
    findings_.push_back(compare_numbers(key, actual, reference, tolerances));
  }

  const Trajectory& t_;
  DType dtype_;
  CompileOptions compile_;
  SafeTensors wide_, same_;
  Graph graph_;
  Network network_;
  Tensor loss_;
  TrainerOptions options_;
  std::int64_t n_ = 1;  // elements of the largest parameter
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> run(const Trajectory& trajectory, DType dtype, const CompileOptions& options) {
  if (!trajectory.problem.empty()) throw Error(trajectory.problem);
  return Run(trajectory, dtype, options).findings();
}

}  // namespace pullback::golden
