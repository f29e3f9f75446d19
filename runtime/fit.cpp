// The training loop over an abstract step.
#include <pullback/fit.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/error.h>

#include "runtime/finite.h"
#include "runtime/monitor.h"
#include "runtime/names.h"
#include "runtime/progress.h"

namespace pullback {

namespace {

using runtime::BestEpoch;
using runtime::ProgressReporter;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Means of loss and metrics, each batch weighted by its examples.
class Means {
 public:
  explicit Means(std::size_t numbers) : sums_(numbers), means_(numbers) {}

  void add(std::span<const double> results, std::int64_t examples) {
    examples_ += examples;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      sums_[i] += results[i] * static_cast<double>(examples);
      means_[i] = sums_[i] / static_cast<double>(examples_);
    }
  }
  std::span<const double> all() const { return means_; }
  double loss() const { return means_.front(); }
  std::vector<double> metrics() const { return {means_.begin() + 1, means_.end()}; }
  std::int64_t examples() const { return examples_; }

 private:
  std::vector<double> sums_;
  std::vector<double> means_;
  std::int64_t examples_ = 0;
};

// The columns in the order of the step's inputs.
data::Dataset in_input_order(const TrainingStep& step, const data::Dataset& dataset, const std::string& what) {
  const std::vector<std::string> inputs = step.inputs();
  if (dataset.columns().size() != inputs.size() ||
      !std::all_of(inputs.begin(), inputs.end(), [&](const std::string& name) { return dataset.contains(name); }))
    throw Error(fmt::format("{}: the inputs are [{}], the columns of the data are [{}]", what, fmt::join(inputs, ", "),
                            fmt::join(dataset.names(), ", ")));
  if (dataset.size() == 0) throw Error(what + ": the data has no examples");
  data::Dataset ordered;
  for (const std::string& name : inputs) ordered.add(name, dataset.column(name));
  ordered.check_finite({});  // an infinite number may leave the loss finite and spoil the weights
  return ordered;
}

std::vector<std::string> all_metrics(const TrainingStep& step) {
  std::vector<std::string> names = step.metrics();
  for (std::string& name : step.training_metrics()) names.push_back(std::move(name));
  return names;
}

void copy_arrays(const data::Dataset& batch, std::vector<Array>& arrays) {
  arrays.clear();
  for (const auto& column : batch.columns()) arrays.push_back(column.values);
}

Means evaluate_all(TrainingStep& step, const data::Dataset& ordered, std::int64_t batch_size) {
  data::Batches batches(ordered, {.batch_size = batch_size, .shuffle = false}, {});
  std::vector<double> results(1 + step.metrics().size());
  Means means(results.size());
  std::vector<Array> arrays;
  for (std::int64_t i = 0; i < batches.count(); ++i) {
    const data::Dataset& batch = batches.at(i);
    copy_arrays(batch, arrays);
    step.evaluate_batch(arrays, results);
    means.add(results, batch.size());
  }
  return means;
}

std::string with_epoch(std::string path, int epochs_done) {
  const std::string hole = "{epoch}";
  for (std::size_t at = path.find(hole); at != std::string::npos; at = path.find(hole))
    path.replace(at, hole.size(), std::to_string(epochs_done));
  return path;
}

const FitOptions& checked(const FitOptions& options) {
  const auto require = [](bool good, const std::string& problem) {
    if (!good) throw Error("fit: " + problem);
  };
  require(options.epochs >= 1, fmt::format("epochs is {}, it must be at least 1", options.epochs));
  require(options.batch_size >= 1, fmt::format("batch_size is {}, it must be at least 1", options.batch_size));
  require(options.initial_epoch >= 0 && options.initial_epoch <= options.epochs,
          fmt::format("initial_epoch is {}, it must be in 0..{}", options.initial_epoch, options.epochs));
  if (const auto& early = options.early_stopping) {
    require(early->patience >= 1, fmt::format("patience is {}, it must be at least 1", early->patience));
    require(early->min_delta >= 0, fmt::format("min_delta is {}, it must not be negative", early->min_delta));
  }
  if (const auto& checkpoints = options.checkpoints) {
    require(!checkpoints->path.empty(), "checkpoints need a path");
    require(checkpoints->every_epochs >= 1,
            fmt::format("every_epochs is {}, it must be at least 1", checkpoints->every_epochs));
  }
  return options;
}

// One call of fit().
class Fit {
 public:
  Fit(TrainingStep& step, const data::Dataset& dataset, const FitOptions& options);
  History run();

 private:
  std::optional<BestEpoch> best_of(const Monitor& monitor, double min_delta) const;
  bool train_epoch(int epoch);  // false: nothing was trained
  void train_batch(int epoch, std::int64_t index, Means& means);
  void refuse_loss(double loss, int epoch, std::int64_t batch);
  void require_finite_parameters(int epoch);
  void validate(EpochRecord& record);
  void save_checkpoint(const EpochRecord& record);
  void stop_early(const EpochRecord& record);

  TrainingStep& step_;
  const FitOptions& options_;
  data::Dataset training_;
  std::optional<data::Dataset> validation_;
  data::Batches batches_;
  std::vector<std::string> metrics_;
  std::vector<Array> arrays_;
  std::vector<double> results_;
  FitControl control_;
  ProgressReporter progress_;
  State epoch_begin_;                // to return to when the loss is lost
  std::optional<State> best_state_;  // of early stopping, when it restores
  std::optional<BestEpoch> stopping_;
  std::optional<BestEpoch> saving_;
  History history_;
};

Fit::Fit(TrainingStep& step, const data::Dataset& dataset, const FitOptions& options)
    : step_(step),
      options_(checked(options)),
      training_(in_input_order(step, dataset, "fit")),
      batches_(training_, {.batch_size = options.batch_size,
                           .shuffle = options.shuffle,
                           .seed = options.seed,
                           .drop_last = options.drop_last}),
      metrics_(all_metrics(step)),
      results_(1 + metrics_.size()),
      control_(step.state()),
      progress_(options.progress, stderr, metrics_, options.epochs, options.initial_epoch, batches_.count()) {
  if (batches_.count() == 0)
    throw Error(
        fmt::format("fit: drop_last leaves no batch of {} of the {} examples", options.batch_size, training_.size()));
  if (options.validation) validation_ = in_input_order(step, *options.validation, "fit: validation");
  if (options.early_stopping) stopping_ = best_of(options.early_stopping->monitor, options.early_stopping->min_delta);
  if (options.checkpoints && options.checkpoints->best_only) saving_ = best_of(options.checkpoints->monitor, 0);
  history_.metric_names = metrics_;
}

std::optional<BestEpoch> Fit::best_of(const Monitor& monitor, double min_delta) const {
  return BestEpoch(monitor, min_delta, metrics_, validation_.has_value());
}

History Fit::run() {
  epoch_begin_ = step_.state().clone();
  for (int epoch = options_.initial_epoch; epoch < options_.epochs && !control_.stop_requested(); ++epoch) {
    if (epoch != options_.initial_epoch) epoch_begin_.copy_from(step_.state());
    if (!train_epoch(epoch)) break;
    const EpochRecord& record = history_.epochs.back();
    step_.end_epoch(record);
    progress_.epoch(record);
    for (const Callbacks& callbacks : options_.callbacks)
      if (callbacks.on_epoch_end) callbacks.on_epoch_end(control_, record);
    save_checkpoint(record);
    stop_early(record);
  }
  history_.stopped_early = control_.stop_requested();
  if (stopping_) history_.best_epoch = stopping_->epoch();
  if (best_state_) step_.state().copy_from(*best_state_);
  return std::move(history_);
}

bool Fit::train_epoch(int epoch) {
  for (const Callbacks& callbacks : options_.callbacks)
    if (callbacks.on_epoch_begin) callbacks.on_epoch_begin(control_, epoch);
  Means means(results_.size());
  const auto start = std::chrono::steady_clock::now();
  batches_.start(epoch);
  for (std::int64_t i = 0; i < batches_.count() && !control_.stop_requested(); ++i) {
    train_batch(epoch, i, means);
    progress_.batch(epoch, i + 1, means.all(), means.examples(), seconds_since(start));
  }
  if (means.examples() == 0) return false;
  require_finite_parameters(epoch);
  EpochRecord record;
  record.epoch = epoch;
  record.loss = means.loss();
  record.metrics = means.metrics();
  record.seconds = seconds_since(start);
  record.examples_per_second = static_cast<double>(means.examples()) / record.seconds;
  validate(record);
  history_.epochs.push_back(std::move(record));
  return true;
}

void Fit::train_batch(int epoch, std::int64_t index, Means& means) {
  const data::Dataset& batch = batches_.at(index);
  copy_arrays(batch, arrays_);
  step_.train_batch(arrays_, results_);
  if (!std::isfinite(results_[0])) refuse_loss(results_[0], epoch, index);
  means.add(results_, batch.size());
  const BatchRecord record{epoch,        index,       batches_.count(),
                           batch.size(), results_[0], std::span<const double>(results_).subspan(1)};
  for (const Callbacks& callbacks : options_.callbacks)
    if (callbacks.on_batch_end) callbacks.on_batch_end(control_, record);
}

void Fit::refuse_loss(double loss, int epoch, std::int64_t batch) {
  step_.state().copy_from(epoch_begin_);
  throw Error(
      fmt::format("fit: the loss is {} in epoch {}/{}, batch {}/{}; the state is again that of the epoch's beginning. "
                  "The data are finite: a smaller learning rate may help",
                  loss, epoch + 1, options_.epochs, batch + 1, batches_.count()));
}

// The last batch's loss was computed before the update that it led to.
void Fit::require_finite_parameters(int epoch) {
  std::string spoilt;
  for (const auto& [name, kind, value] : step_.state().entries())
    if (spoilt.empty() && kind == StateKind::parameter && runtime::first_not_finite(value)) spoilt = name;
  if (spoilt.empty()) return;
  step_.state().copy_from(epoch_begin_);
  throw Error(
      fmt::format("fit: parameter {} is not finite after epoch {}/{}; the state is again that of the epoch's "
                  "beginning. The data are finite: a smaller learning rate may help",
                  spoilt, epoch + 1, options_.epochs));
}

void Fit::validate(EpochRecord& record) {
  if (!validation_) return;
  const Means means = evaluate_all(step_, *validation_, options_.batch_size);
  record.val_loss = means.loss();
  record.val_metrics = means.metrics();
}

void Fit::save_checkpoint(const EpochRecord& record) {
  if (!options_.checkpoints) return;
  const int done = record.epoch + 1;
  const bool wanted = saving_ ? saving_->improves(record) : done % options_.checkpoints->every_epochs == 0;
  if (wanted) step_.state().save(with_epoch(options_.checkpoints->path, done), {});  // fit() knows the line
}

void Fit::stop_early(const EpochRecord& record) {
  if (!stopping_) return;
  if (stopping_->improves(record)) {
    if (!options_.early_stopping->restore_best) return;
    if (best_state_) {
      best_state_->copy_from(step_.state());
    } else {
      best_state_ = step_.state().clone();
    }
  } else if (stopping_->waited() >= options_.early_stopping->patience) {
    control_.request_stop();
  }
}

}  // namespace

std::vector<double> History::values(const std::string& name, std::source_location where) const {
  const bool with_validation = !epochs.empty() && epochs.front().val_loss.has_value();
  std::vector<double> values;
  for (const EpochRecord& record : epochs) {
    const auto value = runtime::record_value(record, metric_names, name);
    if (!value)
      throw Error(fmt::format("history: there is no '{}'{}", name,
                              runtime::suggestion(name, runtime::record_names(metric_names, with_validation))),
                  where);
    values.push_back(*value);
  }
  return values;
}

double History::last(const std::string& name, std::source_location where) const {
  if (epochs.empty()) throw Error(fmt::format("history: there are no epochs, so no '{}'", name), where);
  return values(name, where).back();
}

double Evaluation::value(const std::string& name, std::source_location where) const {
  if (name == "loss") return loss;
  for (std::size_t i = 0; i < metric_names.size(); ++i)
    if (name == metric_names[i]) return metrics[i];
  throw Error(fmt::format("evaluation: there is no '{}'{}", name,
                          runtime::suggestion(name, runtime::record_names(metric_names, false))),
              where);
}

History fit(TrainingStep& step, const data::Dataset& dataset, const FitOptions& options, std::source_location where) {
  return detail::with_line(where, [&] { return Fit(step, dataset, options).run(); });
}

Evaluation evaluate(TrainingStep& step, const data::Dataset& dataset, std::int64_t batch_size,
                    std::source_location where) {
  return detail::with_line(where, [&] {
    const Means means = evaluate_all(step, in_input_order(step, dataset, "evaluate"), batch_size);
    return Evaluation{step.metrics(), means.loss(), means.metrics()};
  });
}

}  // namespace pullback
