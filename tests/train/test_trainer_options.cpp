// What a Trainer does around the optimizer's rule: clipping, accumulation, averages, groups, and who goes on where.
#include <cmath>
#include <limits>

#include "tests/train/quadratic.h"

namespace pullback::test {

namespace {

using Catch::Matchers::Contains;
using Model = Quadratic<double>;

double start_norm() {
  double sum = 0;
  for (std::size_t i = 0; i < 8; ++i) sum += std::pow(Model::gradient(i, Model::kStart[i]), 2);
  return std::sqrt(sum);
}

Array some_rows(std::int64_t count) {
  Array rows(f64, {count, 8});
  for (std::int64_t i = 0; i < rows.size(); ++i)
    rows.values<double>()[static_cast<std::size_t>(i)] = std::sin(1.7 * static_cast<double>(i));
  return rows;
}

// The first parameter, "a", then "b".
void check_parameters(const Model& model, const std::function<double(std::size_t)>& expected) {
  const std::vector<double> p = model.parameters();
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(p[i] == Approx(expected(i)).epsilon(1e-13));
}

}  // namespace

TEST_CASE("gradients are clipped by their common norm, which is reported as it was") {
  Model model({.optimizer = SGD{.lr = 0.5}, .clip_norm = 0.25, .gradient_norm = true});
  const Outputs outputs = model.trainer.program().step({{"x", Array(f64, {1, 8})}});
  CHECK(outputs["grad_norm"].item() == Approx(start_norm()).epsilon(1e-13));
  const double factor = 0.25 / (start_norm() + 1e-6);
  check_parameters(
      model, [&](std::size_t i) { return Model::kStart[i] - 0.5 * factor * Model::gradient(i, Model::kStart[i]); });
  Model small({.optimizer = SGD{.lr = 0.5}, .clip_norm = 100});  // nothing to clip
  small.step();
  check_parameters(small, [](std::size_t i) { return Model::kStart[i] - 0.5 * Model::gradient(i, Model::kStart[i]); });
}

TEST_CASE("gradients are clipped by value") {
  Model model({.optimizer = SGD{.lr = 1}, .clip_value = 0.5});
  model.step();
  check_parameters(model, [](std::size_t i) {
    return Model::kStart[i] - std::min(std::max(Model::gradient(i, Model::kStart[i]), -0.5), 0.5);
  });
}

TEST_CASE("accumulated batches give the step of the large batch") {
  const Array rows = some_rows(6);
  Model large({.optimizer = Adam{.lr = 0.1}, .clip_norm = 0.5});
  Model small({.optimizer = Adam{.lr = 0.1}, .clip_norm = 0.5, .accumulate = 3});
  const auto part = [&](std::int64_t i) {
    return Array::from(
        std::vector<double>(rows.values<double>().begin() + 16 * i, rows.values<double>().begin() + 16 * (i + 1)),
        {2, 8});
  };
  for (int update = 0; update < 3; ++update) {
    large.step(rows);
    for (std::int64_t i = 0; i < 3; ++i) {
      const std::vector<double> before = small.parameters();
      small.step(part(i));
      CHECK((small.parameters() == before) == (i != 2));
    }
    check_parameters(small, [p = large.parameters()](std::size_t i) { return p[i]; });
  }
  CHECK(small.trainer.state().get("step").item() == 3);
  CHECK(small.trainer.state().get("accumulation").item() == 0);
}

TEST_CASE("weights are averaged, and the averages evaluate and predict") {
  Model model({.optimizer = SGD{.lr = 0.1}, .ema = Ema{.decay = 0.75, .validate = true}});
  const data::Dataset zeros({{"x", Array(f64, {4, 8})}});
  CHECK(model.trainer.evaluate(zeros, 4, Weights::averaged).loss == Approx(model.loss()));
  std::vector<double> average;
  for (int t = 0; t < 4; ++t) {
    model.step();
    const std::vector<double> p = model.parameters();
    if (t == 0) average = p;
    for (std::size_t i = 0; i < p.size(); ++i) average[i] = 0.75 * average[i] + 0.25 * p[i];
  }
  double loss = 0;
  for (std::size_t i = 0; i < 8; ++i) loss += 0.5 * Model::gradient(i, average[i]) * average[i];
  CHECK(model.trainer.evaluate(zeros, 4, Weights::averaged).loss == Approx(loss).epsilon(1e-12));
  CHECK(model.trainer.evaluate(zeros, 4).loss == Approx(model.loss()).epsilon(1e-12));
  const Tensor a = model.g.parameters()[0];
  CHECK(numbers(model.trainer.predict(a, {}, Weights::averaged))[0] == Approx(average[0]).epsilon(1e-12));
  CHECK(numbers(model.trainer.predict(a, {}))[0] == model.parameters()[0]);
  const History history =
      model.trainer.fit(zeros, {.epochs = 1, .batch_size = 4, .validation = &zeros, .progress = Progress::off});
  CHECK(history.last("val_loss") == Approx(model.trainer.evaluate(zeros, 4, Weights::averaged).loss).epsilon(1e-12));
  Model without({.optimizer = SGD{}});
  CHECK_THAT(error_of([&] { without.trainer.evaluate(zeros, 4, Weights::averaged); }),
             Contains("there are no averages") && Contains("test_trainer_options.cpp"));
}

TEST_CASE("groups have rates and decays of their own, and frozen parameters stay") {
  Model model({.optimizer = SGD{.lr = 0.1, .weight_decay = 0.5},
               .schedule = ExponentialLR{.gamma = 0.5},
               .groups = {{.parameters = {"a"}, .lr = 0.2, .lr_scale = 2, .weight_decay = 0}}});
  model.step();
  model.step();
  const auto stepped = [](double p, std::size_t i, double rate) {
    const double decay = i < 3 ? 0 : 0.5, own = i < 3 ? 4 * rate : rate;
    return p - own * (Model::gradient(i, p) + decay * p);
  };
  check_parameters(model, [&](std::size_t i) { return stepped(stepped(Model::kStart[i], i, 0.1), i, 0.05); });
  CHECK(model.trainer.learning_rate(0) == 0.2);
  model.trainer.set_learning_rate(0, 0);
  const double before = model.parameters()[0];
  model.step();
  CHECK(model.parameters()[0] == before);

  Model frozen({.optimizer = Adam{}, .freeze = {"?"}, .gradient_norm = true});
  frozen.step();
  CHECK(frozen.parameters() == Model::kStart);
  CHECK_THAT(error_of([] { Model({.optimizer = SGD{}, .freeze = {"c*"}}); }), Contains("no parameter is called c*"));
  const std::string names = error_of([] { Model({.optimizer = SGD{}, .freeze = {"c*"}}); });
  CHECK(names.find("there are") == names.rfind("there are"));  // once
  CHECK_THAT(error_of([] { Model({.optimizer = SGD{}, .groups = {{.parameters = {"a"}}, {.parameters = {"*"}}}}); }),
             Contains("the parameter a belongs to the groups 0 and 1"));
}

TEST_CASE("options of the Trainer out of range are refused with their values") {
  CHECK_THAT(error_of([] { Model({.optimizer = SGD{}, .clip_norm = -1}); }), Contains("Trainer: clip_norm is -1"));
  CHECK_THAT(error_of([] { Model({.optimizer = SGD{}, .clip_norm = 0}); }),
             Contains("clip_norm is 0: it must be above"));
  CHECK_THAT(error_of([] { Model({.optimizer = SGD{}, .accumulate = 0}); }), Contains("Trainer: accumulate is 0"));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THAT(error_of([&] { Model({.optimizer = SGD{}, .loss_scale = LossScale{.initial = infinity}}); }),
             Contains("Trainer: loss_scale has initial inf"));
  CHECK_THAT(error_of([&] { Model({.optimizer = SGD{}, .groups = {{.parameters = {"a"}, .lr = infinity}}}); }),
             Contains("Trainer: a group's lr is inf: it must be a finite number of at least 0"));
  CHECK_THAT(error_of([&] { Model({.optimizer = SGD{}, .groups = {{.parameters = {}, .lr = 0.1}}}); }),
             Contains("Trainer: a group has no parameters"));
  CHECK_THAT(error_of([] { Model({.optimizer = LBFGS{.history_size = std::int64_t{1} << 60}}); }),
             Contains("LBFGS: history_size is 1152921504606846976: it must lie in 1..10000"));
  CHECK_THAT(error_of([] { Model({.optimizer = SGD{}, .ema = Ema{.decay = 1}}); }), Contains("ema.decay is 1"));
}

TEST_CASE("a second Trainer goes on where the first one is, unless its optimizer is of another kind") {
  Model model({.optimizer = Adam{.lr = 0.1}});
  model.step();
  model.trainer.set_learning_rate(0.025);
  const auto with = [&](const Optimizer& optimizer, const std::string& name = "") {
    const Tensor x = model.g.parameters()[0];
    Warnings warnings;  // of parameter b
    return Trainer(model.g, {.loss = sum(square(x)), .optimizer = optimizer, .name = name});
  };
  const auto m = [&] { return numbers(model.g.state()->get("adam.m.a")); };
  const std::vector<double> slot = m();
  Trainer second = with(Adam{.lr = 0.1});
  CHECK(second.state().get("step").item() == 1);
  CHECK(second.learning_rate() == 0.025);
  CHECK(m() == slot);
  CHECK(with(Adam{.lr = 0.2}).learning_rate() == 0.2);  // asked for
  CHECK(m() == slot);
  Trainer own = with(SGD{.lr = 0.3}, "critic");
  CHECK(own.learning_rate() == 0.3);
  CHECK(model.g.state()->get("critic.step").item() == 0);
  CHECK(second.learning_rate() == 0.2);
  CHECK(with(SGD{.lr = 0.3}).state().get("step").item() == 0);
  CHECK(with(Adam{.lr = 0.1}).learning_rate() == 0.1);
  CHECK(m() == std::vector<double>(3, 0.0));
}

TEST_CASE("errors of fit and evaluate carry the user's line") {
  Model model({.optimizer = SGD{}});
  const data::Dataset wrong({{"y", Array(f64, {4, 8})}});
  CHECK_THAT(error_of([&] { model.trainer.fit(wrong, {.progress = Progress::off}); }),
             Contains("the inputs are [x]") && Contains("test_trainer_options.cpp"));
  CHECK_THAT(error_of([&] { model.trainer.evaluate(wrong); }), Contains("test_trainer_options.cpp"));
}

}  // namespace pullback::test
