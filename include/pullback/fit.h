// The training loop: epochs, shuffled batches, validation, early stopping, checkpoints and progress over any step.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include <pullback/array.h>
#include <pullback/data.h>
#include <pullback/state.h>

namespace pullback {

struct EpochRecord;

/// What fit() trains: something that takes batches and has a state. Trainer is one.
class TrainingStep {
 public:
  virtual ~TrainingStep() = default;

  /// The names of the inputs; a dataset needs exactly one column for each.
  virtual std::vector<std::string> inputs() const = 0;
  /// The names of the metrics that are reported beside the loss.
  virtual std::vector<std::string> metrics() const = 0;
  /// Further numbers of train_batch() alone: the gradient's norm.
  virtual std::vector<std::string> training_metrics() const { return {}; }
  /// Updates the state by one step on a batch: one array [batch, ...] per input, in the order of inputs(), valid during
  /// the call. Puts the loss into results[0], the metrics and the training metrics behind it, as means over the batch.
  /// Full batches of an epoch come in the same memory when shuffled.
  virtual void train_batch(std::span<const Array> batch, std::span<double> results) = 0;
  /// The same without an update, and as the network behaves outside of training.
  virtual void evaluate_batch(std::span<const Array> batch, std::span<double> results) = 0;
  /// Called after each epoch and its validation, before callbacks and checkpoints. May change the state.
  virtual void end_epoch(const EpochRecord& /*record*/) {}
  /// What train_batch() and end_epoch() change, all of it.
  virtual State& state() = 0;
};

/// A number of EpochRecord, by name: "loss", "val_loss", a metric's name, or "val_" and a metric's name.
struct Monitor {
  enum class Goal : std::uint8_t { automatic, minimize, maximize };

  std::string name;  ///< empty: val_loss with validation data, else loss
  /// automatic: maximize when the name contains accuracy, auc, f1, precision, recall or r2, else minimize.
  Goal goal = Goal::automatic;
};

struct EarlyStopping {
  int patience = 5;      ///< epochs without improvement before training stops
  double min_delta = 0;  ///< what counts as an improvement: more than this
  Monitor monitor;
  bool restore_best = true;  ///< at the end the state is that of the best epoch
};

struct Checkpoints {
  std::string path;        ///< "{epoch}" in it stands for the number of epochs done
  int every_epochs = 1;    ///< not with best_only
  bool best_only = false;  ///< only when the monitored number is the best so far
  Monitor monitor;         ///< for best_only
};

/// Results of an epoch; all are means over its examples.
struct EpochRecord {
  int epoch = 0;  ///< from 0
  double loss = 0;
  std::vector<double> metrics;
  std::optional<double> val_loss;   ///< with validation data
  std::vector<double> val_metrics;  ///< without the training metrics
  double seconds = 0;               ///< of the training part
  double examples_per_second = 0;   ///< of the training part
};

/// Results of one training batch.
struct BatchRecord {
  int epoch = 0;
  std::int64_t batch = 0;     ///< from 0
  std::int64_t batches = 0;   ///< in the epoch
  std::int64_t examples = 0;  ///< in this batch
  double loss = 0;
  std::span<const double> metrics;
};

/// What a callback may do to the training that calls it.
class FitControl {
 public:
  explicit FitControl(State& state) : state_(state) {}
  State& state() { return state_; }
  /// Ends training after the current batch; what remains of its epoch is dropped, the epoch's record is kept.
  void request_stop() { stop_ = true; }
  bool stop_requested() const { return stop_; }

 private:
  State& state_;
  bool stop_ = false;
};

/// Functions that fit() calls; each may be empty. An exception that one throws ends fit().
struct Callbacks {
  std::function<void(FitControl&, int epoch)> on_epoch_begin = {};
  std::function<void(FitControl&, const EpochRecord&)> on_epoch_end = {};
  std::function<void(FitControl&, const BatchRecord&)> on_batch_end = {};
};

/// How progress is shown, on standard error. automatic: a bar on a terminal, else a line an epoch.
enum class Progress : std::uint8_t { automatic, bar, lines, off };

struct FitOptions {
  int epochs = 1;  ///< epochs in all: training goes from initial_epoch to epochs-1
  std::int64_t batch_size = 32;
  const data::Dataset* validation = nullptr;
  bool shuffle = true;
  std::uint64_t seed = 0;  ///< of the shuffling
  bool drop_last = false;  ///< drop the last batch when it is smaller
  int initial_epoch = 0;   ///< to go on with training: the epochs that the state has behind it
  std::optional<EarlyStopping> early_stopping = {};
  std::optional<Checkpoints> checkpoints = {};
  std::vector<Callbacks> callbacks = {};
  Progress progress = Progress::automatic;
};

/// What fit() did.
struct History {
  std::vector<std::string> metric_names;  ///< the training metrics last
  std::vector<EpochRecord> epochs;
  bool stopped_early = false;     ///< by early stopping or a callback
  std::optional<int> best_epoch;  ///< with early stopping

  /// The numbers of all epochs, named as in Monitor. Throws Error when there is no such number.
  std::vector<double> values(const std::string& name,
                             std::source_location where = std::source_location::current()) const;
  /// The last of values(name). Throws Error also when there are no epochs.
  double last(const std::string& name, std::source_location where = std::source_location::current()) const;
};

/// Loss and metrics over a dataset, as means over its examples.
struct Evaluation {
  std::vector<std::string> metric_names;
  double loss = 0;
  std::vector<double> metrics;

  /// "loss" or a metric, by name. Throws Error when there is no such number.
  double value(const std::string& name, std::source_location where = std::source_location::current()) const;
};

/// Trains `step` on `dataset`. The same data, options and initial state give the same final state, bit for bit, also
/// when training was interrupted between epochs and continued with initial_epoch.
///
/// Throws Error, before the state changes, when an option is out of range, the columns are not the inputs, or a number
/// in them is infinite or NaN; and during training when a loss, or at the end of an epoch a parameter, is not finite:
/// the state is then that of the beginning of the epoch. An Error of the step itself leaves the state as it was before
/// the failing batch. Errors carry the caller's line, `where`, unless they know one of the network's.
History fit(TrainingStep& step, const data::Dataset& dataset, const FitOptions& options = {},
            std::source_location where = std::source_location::current());

/// Evaluates `step` on `dataset`. Throws Error as fit() does.
Evaluation evaluate(TrainingStep& step, const data::Dataset& dataset, std::int64_t batch_size = 256,
                    std::source_location where = std::source_location::current());

}  // namespace pullback
