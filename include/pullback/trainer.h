// Training: a graph's loss, an optimizer, and the loop over data.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <pullback/data.h>
#include <pullback/fit.h>
#include <pullback/graph.h>
#include <pullback/optimizers.h>
#include <pullback/program.h>
#include <pullback/schedules.h>
#include <pullback/state.h>

namespace pullback {

/// Parameters that are trained otherwise than the rest.
struct ParameterGroup {
  std::vector<std::string> parameters;  ///< names or patterns: "encoder.*", "*.b"; '?' stands for one character
  std::optional<double> lr = {};        ///< its own base rate, which schedules move as well
  double lr_scale = 1;                  ///< times the scheduled rate
  std::optional<double> weight_decay = {};
  bool frozen = false;  ///< not trained: no gradient is computed
};

/// An exponential moving average of the weights, kept beside them as "ema.PARAMETER": after the first step a copy,
/// then decay * average + (1 - decay) * weight with each update.
struct Ema {
  double decay = 0.999;
  bool warm_up = false;   ///< with t updates done at most (1 + t) / (10 + t), so that early weights are soon forgotten
  bool validate = false;  ///< fit() validates with the averages
};

/// Keeps small gradients from vanishing in f16: the loss is multiplied by a scale before it is differentiated, and the
/// gradients are divided by it. A step in which a gradient is infinite or NaN updates nothing and multiplies the scale
/// by `backoff`; after `interval` steps without, it is multiplied by `growth`.
struct LossScale {
  double initial = 65536;
  double growth = 2, backoff = 0.5;
  std::int64_t interval = 2000;
};

/// Which weights a computation uses.
enum class Weights : std::uint8_t { trained, averaged };

struct TrainerOptions {
  Tensor loss = {};  ///< a floating scalar
  Optimizer optimizer = {};
  std::vector<std::pair<std::string, Tensor>> metrics = {};  ///< scalars to report: {{"accuracy", accuracy(logits, y)}}
  Schedule schedule = {};
  /// Gradients are scaled by min(1, clip_norm / (norm + 1e-6)), with the norm of all of them as one vector; then each
  /// element is brought into [-clip_value, clip_value].
  std::optional<double> clip_norm = {}, clip_value = {};
  /// Each update takes the mean of the gradients of so many steps: for equal batches and a loss that is a mean, the
  /// gradient of one batch of all their examples. Schedules and optimizers count updates.
  std::int64_t accumulate = 1;
  std::optional<Ema> ema = {};
  std::optional<LossScale> loss_scale = {};  ///< by default one when .compile.precision is f16, else none
  std::vector<ParameterGroup> groups = {};   ///< a parameter belongs to one of them at most
  std::vector<std::string> freeze = {};      ///< names or patterns of parameters that are not trained
  bool gradient_norm = false;                ///< report "grad_norm", the norm before clipping
  /// What the Trainer keeps in the state begins with "NAME.". Two Trainers that take turns on one graph (a generator
  /// and its critic) need different names.
  std::string name = {};
  CompileOptions compile = {};
};

/// Compiles forward pass, gradients, metrics and update into one step and runs it over data. Parameters are the
/// graph's, shared with all its programs. So is what the Trainer keeps in the state (steps done, rates, slots,
/// averages): a second Trainer of the same name and kind of optimizer goes on where the first one is, except for a rate
/// that it asks for differently; with another kind of optimizer, or with another name, it begins anew.
///
/// Beside loss and metrics, a step gives "grad_norm" when asked for, and with a schedule the "learning_rate" that it
/// used (both reported by fit), and "momentum" when the schedule moves it.
class Trainer : public TrainingStep {
 public:
  /// Throws Error when the loss is no floating scalar (naming how to reduce it), a metric is no scalar, an option is
  /// out of range, a pattern fits no parameter, an input has a size of 0, or an op on the way has no gradient. Warns of
  /// parameters that the loss does not depend on, and of a loss that has no minimum because it is a signed difference,
  /// prediction - target.
  Trainer(const Graph& graph, const TrainerOptions& options, SourceLocation where = SourceLocation::current());
  Trainer(Trainer&&) noexcept;
  ~Trainer() override;

  /// See pullback::fit(): trains on all columns of the dataset, which are named like the inputs.
  History fit(const data::Dataset& dataset, const FitOptions& options = {},
              SourceLocation where = SourceLocation::current());
  /// Loss and metrics as means over the dataset, outside of training. Throws Error when averages are asked for and the
  /// Trainer has none.
  Evaluation evaluate(const data::Dataset& dataset, std::int64_t batch_size = 256, Weights weights = Weights::trained,
                      SourceLocation where = SourceLocation::current());
  /// One training step; returns the loss before the update. Arrays come in the order of inputs(), or by name; an
  /// example without its batch axis is a batch of one. Throws Error, before anything is changed, when a number in them
  /// is infinite or NaN.
  double observe(const std::vector<Array>& inputs, SourceLocation where = SourceLocation::current());
  double observe(const Array& x, const Array& y, SourceLocation where = SourceLocation::current()) {
    return observe(std::vector<Array>{x, y}, where);
  }
  double observe(const std::vector<Feed>& inputs, SourceLocation where = SourceLocation::current());
  /// Any tensor of the graph, outside of training, with the current parameters or their averages. An example without
  /// its batch axis is a batch of one, in the result too.
  Array predict(const Tensor& output, const std::vector<Feed>& inputs,
                SourceLocation where = SourceLocation::current());
  Array predict(const Tensor& output, const std::vector<Feed>& inputs, Weights weights,
                SourceLocation where = SourceLocation::current());

  /// The whole state as a file, and back; training goes on from there as if it had not stopped. Throws Error as
  /// State's functions do.
  void save(const std::string& path, SourceLocation where = SourceLocation::current()) const;
  void load(const std::string& path, SourceLocation where = SourceLocation::current());

  /// The base rate, which schedule and groups act on: a scalar of the state. Changing it compiles nothing.
  double learning_rate() const;
  /// Throws Error unless it is a finite number of at least 0.
  void set_learning_rate(double rate, SourceLocation where = SourceLocation::current());
  /// Of a group (its index in TrainerOptions::groups) that has an lr of its own; else Error.
  double learning_rate(std::size_t group, SourceLocation where = SourceLocation::current()) const;
  void set_learning_rate(double rate, std::size_t group, SourceLocation where = SourceLocation::current());

  /// For a loop of one's own: tells a schedule that an epoch is over, with the number that ReduceLROnPlateau watches.
  /// fit() does this by itself.
  void end_epoch();
  void end_epoch(double monitored);

  /// The training step. Its dumps show the gradient and the update.
  Program& program();
  /// Loss and metrics without an update.
  Program& evaluation_program();

  std::vector<std::string> inputs() const override;
  std::vector<std::string> metrics() const override;
  std::vector<std::string> training_metrics() const override;
  void train_batch(std::span<const Array> batch, std::span<double> results) override;
  void evaluate_batch(std::span<const Array> batch, std::span<double> results) override;
  void end_epoch(const EpochRecord& record) override;
  State& state() override;

 private:
  struct Impl;
  Impl& impl(const SourceLocation& where = {}) const;  ///< throws Error when the Trainer was moved from

  std::unique_ptr<Impl> impl_;
};

}  // namespace pullback
