// Training: a graph's loss, an optimizer, and the loop over data.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <pullback/data.h>
#include <pullback/fit.h>
#include <pullback/graph.h>
#include <pullback/optimizers.h>
#include <pullback/program.h>
#include <pullback/state.h>

namespace pullback {

struct TrainerOptions {
  Tensor loss;  ///< a floating scalar
  Optimizer optimizer;
  std::vector<std::pair<std::string, Tensor>> metrics = {};  ///< scalars to report: {{"accuracy", accuracy(logits, y)}}
  CompileOptions compile = {};
};

/// Compiles forward pass, gradients, metrics and update into one step and runs it over data. Parameters are the
/// graph's, shared with all its programs; the optimizer's slots start anew with each Trainer.
class Trainer : public TrainingStep {
 public:
  /// Throws Error when the loss is no floating scalar (naming how to reduce it), a metric is no scalar, or an op on
  /// the way has no gradient. Warns of parameters that the loss does not depend on.
  Trainer(const Graph& graph, const TrainerOptions& options, SourceLocation where = SourceLocation::current());
  Trainer(Trainer&&) noexcept;
  ~Trainer() override;

  /// See pullback::fit(): trains on all columns of the dataset, which are named like the inputs.
  History fit(const data::Dataset& dataset, const FitOptions& options = {});
  /// Loss and metrics as means over the dataset, outside of training.
  Evaluation evaluate(const data::Dataset& dataset, std::int64_t batch_size = 256);
  /// One training step; returns the loss before the update. Arrays come in the order of inputs(), or by name; an
  /// example without its batch axis is a batch of one.
  double observe(const std::vector<Array>& inputs, SourceLocation where = SourceLocation::current());
  double observe(const Array& x, const Array& y, SourceLocation where = SourceLocation::current()) {
    return observe(std::vector<Array>{x, y}, where);
  }
  double observe(const std::vector<Feed>& inputs, SourceLocation where = SourceLocation::current());
  /// Any tensor of the graph, outside of training, with the current parameters.
  Array predict(const Tensor& output, const std::vector<Feed>& inputs,
                SourceLocation where = SourceLocation::current());

  /// The whole state as a file, and back; training goes on from there as if it had not stopped. Throws Error as
  /// State's functions do.
  void save(const std::string& path) const;
  void load(const std::string& path);

  /// A scalar of the state: changing it compiles nothing.
  double learning_rate() const;
  void set_learning_rate(double rate);

  /// The training step. Its dumps show the gradient and the update.
  Program& program();
  /// Loss and metrics without an update.
  Program& evaluation_program();

  std::vector<std::string> inputs() const override;
  std::vector<std::string> metrics() const override;
  void train_batch(std::span<const Array> batch, std::span<double> results) override;
  void evaluate_batch(std::span<const Array> batch, std::span<double> results) override;
  State& state() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pullback
