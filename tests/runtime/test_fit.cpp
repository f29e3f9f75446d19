// The training loop, over a hand-written step: linear regression by gradient descent.
#include <pullback/error.h>
#include <pullback/fit.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <catch2/catch.hpp>

#include "runtime/progress.h"
#include "tests/runtime/temporary_folder.h"

using namespace pullback;
using Catch::Matchers::Contains;

namespace {

// y = w * x; loss: mean squared error; metric mean_error: mean of w * x - y.
class LinearStep : public TrainingStep {
 public:
  LinearStep() {
    state_.add("w", StateKind::parameter, Array(f64, {1}));
    state_.add("step", StateKind::counter, Array(i64, {}));
  }
  std::vector<std::string> inputs() const override { return {"x", "y"}; }
  std::vector<std::string> metrics() const override { return {"mean_error"}; }
  State& state() override { return state_; }

  void train_batch(std::span<const Array> batch, std::span<double> results) override {
    evaluate_batch(batch, results);
    const auto x = batch[0].values<double>();
    const auto y = batch[1].values<double>();
    double gradient = 0;
    for (std::size_t i = 0; i < x.size(); ++i) gradient += 2 * (w() * x[i] - y[i]) * x[i];
    sizes.push_back(static_cast<std::int64_t>(x.size()));
    const std::int64_t step = ++state_.get("step").values<std::int64_t>()[0];
    w() -= rate * gradient / static_cast<double>(x.size());
    if (step == nan_at) results[0] = NAN;
    if (step == infinite_at) w() = INFINITY;
  }
  void evaluate_batch(std::span<const Array> batch, std::span<double> results) override {
    const auto x = batch[0].values<double>();
    const auto y = batch[1].values<double>();
    results[0] = results[1] = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = w() * x[i] - y[i];
      results[0] += error * error / static_cast<double>(x.size());
      results[1] += error / static_cast<double>(x.size());
    }
  }
  double& w() { return state_.get("w").values<double>()[0]; }

  double rate = 0.05;
  std::int64_t nan_at = -1, infinite_at = -1;  // steps that end badly
  std::vector<std::int64_t> sizes;             // of the batches

 private:
  State state_;
};

// y = 3x - 0.5 at 10 points: a line through 0 cannot fit it, so the order of the batches shows in w.
data::Dataset line() {
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i < 10; ++i) {
    x.push_back(0.1 * i);
    y.push_back(3 * x.back() - 0.5);
  }
  return data::Dataset({{"y", Array::from(y, {10})}, {"x", Array::from(x, {10})}});
}

FitOptions quiet(int epochs) {
  FitOptions options;
  options.epochs = epochs;
  options.batch_size = 4;
  options.progress = Progress::off;
  return options;
}

// The message without the line of the call, which all have.
std::string fit_error(const data::Dataset& dataset, const FitOptions& options) {
  LinearStep step;
  try {
    fit(step, dataset, options);
  } catch (const Error& error) {
    CHECK(step.sizes.empty());
    const std::string text = error.what(), line = " (test_fit.cpp:" + std::to_string(error.where().line) + ")";
    REQUIRE(text.ends_with(line));
    return text.substr(0, text.size() - line.size());
  }
  return "";
}

}  // namespace

TEST_CASE("fit: learns, with the last, smaller batch", "[fit]") {
  LinearStep step;
  const History history = fit(step, line(), quiet(200));
  CHECK(step.sizes[0] == 4);
  CHECK(step.sizes[2] == 2);
  CHECK(history.epochs.size() == 200);
  CHECK(history.values("loss").front() > history.last("loss"));
  CHECK(step.w() == Approx(2.21).margin(0.1));
  CHECK(!history.stopped_early);
  CHECK(history.epochs[3].examples_per_second > 0);
  CHECK_THROWS_WITH(history.last("los"), Contains("history: there is no 'los'; similar: loss"));
}

TEST_CASE("fit: averages weigh each example the same", "[fit]") {
  LinearStep step;
  step.rate = 0;
  FitOptions options = quiet(1);
  const data::Dataset data = line();
  options.validation = &data;
  const History history = fit(step, data, options);
  double expected = 0;
  for (const double y : data.column("y").values<double>()) expected += y * y / 10;
  CHECK(history.last("loss") == Approx(expected));
  CHECK(history.last("val_loss") == Approx(expected));
  CHECK(history.last("val_mean_error") == Approx(history.last("mean_error")));
  const Evaluation evaluation = evaluate(step, data, 3);
  CHECK(evaluation.loss == Approx(expected));
  CHECK(evaluation.value("mean_error") == Approx(history.last("mean_error")));
  CHECK_THROWS_WITH(evaluation.value("x"), Contains("evaluation: there is no 'x'"));
}

TEST_CASE("fit: a resumed run gives the same bits", "[fit]") {
  const TemporaryFolder folder;
  LinearStep whole;
  fit(whole, line(), quiet(6));

  LinearStep first;
  FitOptions options = quiet(6);
  options.checkpoints = Checkpoints{.path = folder.file("at-{epoch}.ckpt"), .every_epochs = 2};
  options.callbacks = {{.on_epoch_end = [](FitControl& control, const EpochRecord& record) {
    if (record.epoch == 3) control.request_stop();
  }}};
  CHECK(fit(first, line(), options).stopped_early);
  CHECK(folder.count() == 2);

  LinearStep second;
  second.state().load(folder.file("at-4.ckpt"));
  options = quiet(6);
  options.initial_epoch = 4;
  const History rest = fit(second, line(), options);
  CHECK(rest.epochs.front().epoch == 4);
  CHECK(std::memcmp(&second.w(), &whole.w(), sizeof(double)) == 0);
  CHECK(second.w() != first.w());

  options.initial_epoch = 6;
  CHECK(fit(second, line(), options).epochs.empty());
}

TEST_CASE("fit: early stopping returns to the best epoch", "[fit]") {
  LinearStep step;
  std::vector<double> after;  // w after each epoch
  FitOptions options = quiet(50);
  const data::Dataset data = line();
  options.validation = &data;
  options.early_stopping = EarlyStopping{.patience = 3};
  options.callbacks = {{.on_epoch_end = [&](FitControl& control, const EpochRecord& record) {
    after.push_back(control.state().get("w").values<double>()[0]);
    if (record.epoch == 4) step.rate = -0.5;  // from here on it gets worse
  }}};
  const History history = fit(step, data, options);
  CHECK(history.stopped_early);
  CHECK(history.best_epoch == 4);
  CHECK(history.epochs.size() == 8);
  CHECK(step.w() == after[4]);

  options.early_stopping->monitor.name = "val_los";
  CHECK_THAT(fit_error(data, options), Contains("fit: there is no 'val_los' to monitor; similar: val_loss"));
}

TEST_CASE("fit: the best epoch's checkpoint, for a number to maximize", "[fit]") {
  const TemporaryFolder folder;
  LinearStep step;
  FitOptions options = quiet(5);
  options.checkpoints =
      Checkpoints{.path = folder.file("best.ckpt"), .best_only = true, .monitor = {"loss", Monitor::Goal::maximize}};
  fit(step, line(), options);  // the loss falls, so that the first epoch is the best
  CHECK(State::read(folder.file("best.ckpt")).get("step").item() == 3);
}

TEST_CASE("fit: a lost loss is an error that keeps the epoch's first state", "[fit]") {
  LinearStep reference;
  fit(reference, line(), quiet(2));
  LinearStep step;
  step.nan_at = 8;  // epoch 3, batch 2
  std::string message;
  try {
    fit(step, line(), quiet(5));
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK_THAT(message, Contains("fit: the loss is nan in epoch 3/5, batch 2/3; the state is again that of the epoch's "
                               "beginning"));
  CHECK(step.w() == reference.w());
  CHECK(step.state().get("step").item() == 6);
}

TEST_CASE("fit: weights that the last batch spoils are an error that keeps the epoch's first state", "[fit]") {
  LinearStep reference;
  fit(reference, line(), quiet(2));
  LinearStep step;
  step.infinite_at = 9;  // epoch 3, batch 3
  CHECK_THROWS_WITH(fit(step, line(), quiet(3)),
                    Contains("fit: parameter w is not finite after epoch 3/3; the state is again that of the epoch's "
                             "beginning") &&
                        Contains("(test_fit.cpp:"));
  CHECK(step.w() == reference.w());
  CHECK(step.state().get("step").item() == 6);
}

TEST_CASE("fit: callbacks see batches and may stop within an epoch", "[fit]") {
  LinearStep step;
  std::vector<std::int64_t> seen;
  FitOptions options = quiet(5);
  int begun = 0;
  options.callbacks = {{.on_epoch_begin = [&](FitControl&, int) { ++begun; },
                        .on_batch_end =
                            [&](FitControl& control, const BatchRecord& record) {
                              seen.push_back(record.batch);
                              CHECK(record.batches == 3);
                              CHECK(record.metrics.size() == 1);
                              if (record.epoch == 1 && record.batch == 1) control.request_stop();
                            }},
                       {}};
  const History history = fit(step, line(), options);
  CHECK(seen == std::vector<std::int64_t>{0, 1, 2, 0, 1});
  CHECK(begun == 2);
  CHECK(history.epochs.size() == 2);
  CHECK(history.stopped_early);

  options.callbacks = {{.on_epoch_begin = [](FitControl& control, int) { control.request_stop(); }}};
  CHECK(fit(step, line(), options).epochs.empty());
}

TEST_CASE("fit: mistakes are found before training", "[fit]") {
  FitOptions options = quiet(0);
  CHECK(fit_error(line(), options) == "fit: epochs is 0, it must be at least 1");
  options = quiet(2);
  options.batch_size = 0;
  CHECK(fit_error(line(), options) == "fit: batch_size is 0, it must be at least 1");
  options = quiet(2);
  options.initial_epoch = 3;
  CHECK(fit_error(line(), options) == "fit: initial_epoch is 3, it must be in 0..2");
  options = quiet(2);
  options.batch_size = 11;
  options.drop_last = true;
  CHECK(fit_error(line(), options) == "fit: drop_last leaves no batch of 11 of the 10 examples");
  options = quiet(2);
  options.early_stopping = EarlyStopping{.patience = 0};
  CHECK(fit_error(line(), options) == "fit: patience is 0, it must be at least 1");
  options = quiet(2);
  options.checkpoints = Checkpoints{};
  CHECK(fit_error(line(), options) == "fit: checkpoints need a path");

  data::Dataset more = line();
  more.add("z", Array(f64, {10}));
  CHECK(fit_error(more, quiet(1)) == "fit: the inputs are [x, y], the columns of the data are [y, x, z]");
  CHECK(fit_error({}, quiet(1)) == "fit: the inputs are [x, y], the columns of the data are []");
  CHECK(fit_error(line().slice(0, 0), quiet(1)) == "fit: the data has no examples");
  options = quiet(1);
  options.validation = &more;
  CHECK_THAT(fit_error(line(), options), Contains("fit: validation: the inputs are [x, y]"));
  LinearStep step;
  CHECK_THROWS_WITH(evaluate(step, more), Contains("evaluate: the inputs are [x, y]"));
  CHECK_THROWS_WITH(evaluate(step, line(), 0), Contains("the batch size is 0"));
}

TEST_CASE("fit: a failing checkpoint ends training, the state stays", "[fit]") {
  LinearStep step;
  FitOptions options = quiet(3);
  options.checkpoints = Checkpoints{.path = "/dev/full"};
  CHECK_THROWS_WITH(fit(step, line(), options), Contains("No space left on device"));
  CHECK(step.state().get("step").item() == 3);
}

TEST_CASE("progress: a line an epoch, or a bar", "[progress]") {
  const TemporaryFolder folder;
  EpochRecord record;
  record.epoch = 2;
  record.loss = 0.125;
  record.metrics = {0.97};
  record.val_loss = 0.25;
  record.val_metrics = {0.95};
  record.seconds = 12.5;
  record.examples_per_second = 4800;
  const auto shown = [&](Progress kind) {
    std::FILE* file = std::fopen(folder.file("out").c_str(), "w");
    {
      runtime::ProgressReporter reporter(kind, file, {"accuracy"}, 5, 0, 10);
      const double means[] = {0.5, 0.75};
      reporter.batch(2, 5, means, 160, 0.01);
      reporter.epoch(record);
    }
    std::fclose(file);
    return read_text(folder.file("out"));
  };
  const std::string line =
      "epoch 3/5  loss 0.125  accuracy 0.97  val_loss 0.25  val_accuracy 0.95  4800 examples/s  13 s\n";
  CHECK(shown(Progress::automatic) == line);
  CHECK(shown(Progress::off).empty());
  const std::string bar = shown(Progress::bar);
  CHECK_THAT(bar, Contains("epoch 3/5 [==") && Contains("=>") &&
                      Contains("]  50 %  loss 0.5  accuracy 0.75  16000 examples/s") && Contains(" left\x1b[K"));
  CHECK_THAT(bar, Catch::Matchers::EndsWith("\r\x1b[K" + line));
  CHECK(runtime::format_duration(3.21) == "3.2 s");
  CHECK(runtime::format_duration(125) == "2 min 05 s");
  CHECK(runtime::format_duration(12000) == "3 h 20 min");
}
