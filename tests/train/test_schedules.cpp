// Schedules against PyTorch's recursive and closed forms in plain loops, and how they act in training.
#include <cmath>
#include <numbers>

#include "tests/train/quadratic.h"

namespace pullback::test {

namespace {

using Catch::Matchers::Contains;

constexpr double kBase = 0.4;

void check_rates(const Schedule& schedule, const std::vector<double>& expected) {
  INFO(schedule.name);
  const std::vector<double> rates = schedule.rates(kBase, static_cast<std::int64_t>(expected.size()));
  for (std::size_t t = 0; t < expected.size(); ++t) {
    INFO("t = " << t);
    CHECK(rates[t] == Approx(expected[t]).epsilon(1e-13).margin(1e-16));
  }
}

std::vector<double> course(int count, const std::function<double(int)>& rate) {
  std::vector<double> rates;
  for (int t = 0; t < count; ++t) rates.push_back(rate(t));
  return rates;
}

double cosine(double low, double high, double share) {
  return low + (high - low) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

}  // namespace

TEST_CASE("schedules of factors") {
  check_rates(ConstantLR{.factor = 0.5, .total_iters = 4}, course(8, [](int t) { return t < 4 ? kBase / 2 : kBase; }));
  check_rates(StepLR{.step_size = 3, .gamma = 0.5}, course(12, [](int t) { return kBase * std::pow(0.5, t / 3); }));
  check_rates(MultiStepLR{.milestones = {2, 5, 5}, .gamma = 0.1}, course(8, [](int t) {
                return kBase * (t < 2 ? 1 : t < 5 ? 0.1 : 0.001);
              }));
  check_rates(ExponentialLR{.gamma = 0.9}, course(30, [](int t) { return kBase * std::pow(0.9, t); }));
  check_rates(LinearLR{.start_factor = 0.25, .end_factor = 0.75, .total_iters = 4},
              {0.1, 0.15, 0.2, 0.25, 0.3, 0.3, 0.3});
  check_rates(PolynomialLR{.total_iters = 4, .power = 2}, {kBase, kBase * 0.5625, kBase * 0.25, kBase * 0.0625, 0, 0});
  check_rates(LambdaLR{[](std::int64_t t) { return 1.0 / static_cast<double>(1 + t); }},
              course(6, [](int t) { return kBase / (1 + t); }));
}

TEST_CASE("cosine schedules, with and without restarts") {
  check_rates(CosineAnnealingLR{.T_max = 10, .eta_min = 0.1},
              course(25, [](int t) { return cosine(0.1, kBase, t / 10.0); }));
  for (int growth : {1, 2, 3}) {
    // PyTorch's recursion: counts within the cycle, which grows when it is over.
    std::vector<double> expected;
    for (int t = 0, in_cycle = 0, cycle = 5; t < 200; ++t) {
      expected.push_back(cosine(0.1, kBase, static_cast<double>(in_cycle) / cycle));
      if (++in_cycle == cycle) {
        in_cycle = 0;
        cycle *= growth;
      }
    }
    check_rates(CosineAnnealingWarmRestarts{.T_0 = 5, .T_mult = growth, .eta_min = 0.1}, expected);
  }
}

TEST_CASE("one cycle in two and three phases") {
  const Schedule two(OneCycleLR{.max_lr = 1, .total_steps = 11, .div_factor = 10, .final_div_factor = 100});
  // The peak is at 0.3 * 11 - 1 = 2.3, the end at 10.
  check_rates(two,
              course(11, [](int t) { return t <= 2 ? cosine(1, 0.1, t / 2.3) : cosine(0.001, 1, (t - 2.3) / 7.7); }));
  const std::vector<double> momenta = two.momenta(11);
  for (int t = 0; t < 11; ++t)
    CHECK(momenta[static_cast<std::size_t>(t)] ==
          Approx(t <= 2 ? cosine(0.85, 0.95, t / 2.3) : cosine(0.95, 0.85, (t - 2.3) / 7.7)).epsilon(1e-13));
  const Schedule three(OneCycleLR{.max_lr = 1,
                                  .epochs = 4,
                                  .steps_per_epoch = 5,
                                  .pct_start = 0.25,
                                  .anneal_strategy = Anneal::linear,
                                  .cycle_momentum = false,
                                  .div_factor = 10,
                                  .final_div_factor = 10,
                                  .three_phase = true});
  // Up until 4, down until 8, out until 19.
  check_rates(three, course(20, [](int t) {
                if (t <= 4) return 0.1 + 0.9 * t / 4;
                return t <= 8 ? 1 - 0.9 * (t - 4) / 4 : 0.1 - 0.09 * (t - 8) / 11;
              }));
  CHECK(three.momenta(5).empty());
}

TEST_CASE("cyclic rates in their three modes") {
  const auto triangle = [](int t) { return t % 6 <= 2 ? (t % 6) / 2.0 : (6 - t % 6) / 4.0; };
  CyclicLR cyclic{.base_lr = 0.1, .max_lr = 0.5, .step_size_up = 2, .step_size_down = 4};
  check_rates(cyclic, course(20, [&](int t) { return 0.1 + 0.4 * triangle(t); }));
  const std::vector<double> momenta = Schedule(cyclic).momenta(8);
  for (int t = 0; t < 8; ++t)
    CHECK(momenta[static_cast<std::size_t>(t)] == Approx(0.9 - 0.1 * triangle(t)).epsilon(1e-13));
  cyclic.mode = CyclicLR::Mode::triangular2;
  check_rates(cyclic, course(20, [&](int t) { return 0.1 + 0.4 * triangle(t) / std::pow(2, t / 6); }));
  cyclic.mode = CyclicLR::Mode::exp_range;
  cyclic.gamma = 0.9;
  check_rates(cyclic, course(20, [&](int t) { return 0.1 + 0.4 * triangle(t) * std::pow(0.9, t); }));
}

TEST_CASE("schedules in sequence, chained, and behind a warm-up") {
  const Schedule decay = ExponentialLR{.gamma = 0.5};
  check_rates(SequentialLR{{ConstantLR{.factor = 0.1, .total_iters = 9}, decay,
                            LambdaLR{[](std::int64_t t) { return static_cast<double>(t); }}},
                           {3, 5}},
              {0.04, 0.04, 0.04, 0.4, 0.2, 0, 0.4, 0.8});
  check_rates(ChainedScheduler{{ConstantLR{.factor = 0.1, .total_iters = 2}, decay}}, {0.04, 0.02, 0.1, 0.05});
  check_rates(warm_up(4, decay), {0, 0.1, 0.2, 0.3, 0.4, 0.2, 0.1});
  check_rates(warm_up(2), {0, 0.2, 0.4, 0.4});
}

TEST_CASE("schedule options out of range are refused with their values") {
  CHECK_THAT(error_of([] { Schedule(StepLR{}); }),
             Contains("StepLR: step_size is 0") && Contains("test_schedules.cpp"));
  CHECK_THAT(error_of([] { Schedule(CosineAnnealingLR{.T_max = -3}); }), Contains("CosineAnnealingLR: T_max is -3"));
  CHECK_THAT(error_of([] { Schedule(ExponentialLR{.gamma = -1}); }), Contains("ExponentialLR: gamma is -1"));
  CHECK_THAT(error_of([] { Schedule(OneCycleLR{.max_lr = 1}); }), Contains("OneCycleLR: total_steps is 0"));
  CHECK_THAT(error_of([] { Schedule(OneCycleLR{.max_lr = 1, .total_steps = 5, .pct_start = 2}); }),
             Contains("pct_start is 2"));
  CHECK_THAT(error_of([] { Schedule(ReduceLROnPlateau{.factor = 1}); }), Contains("ReduceLROnPlateau: factor is 1"));
  CHECK_THAT(error_of([] { Schedule(SequentialLR{{StepLR{.step_size = 1}}, {4}}); }), Contains("0 milestones, not 1"));
  CHECK_THAT(error_of([] { Schedule(SequentialLR{{ReduceLROnPlateau{}}, {}}); }), Contains("cannot be part of it"));
  CHECK_THAT(error_of([] { Schedule(OneCycleLR{.max_lr = 1, .total_steps = 5}).rates(1, 6); }),
             Contains("6 steps are asked for, but it lasts 5"));
}

TEST_CASE("the step uses the scheduled rate and momentum, compiles once, and refuses steps past the end") {
  const Schedule schedule = OneCycleLR{.max_lr = 0.1, .total_steps = 5};
  Quadratic<double> model({.optimizer = SGD{}, .schedule = schedule});
  std::vector<double> p = Quadratic<double>::kStart, v(p.size());
  const std::vector<double> rates = schedule.rates(0, 5), momenta = schedule.momenta(5);
  const std::vector<Feed> feeds{{"x", Array(f64, {1, 8})}};
  for (std::size_t t = 0; t < 5; ++t) {
    const Outputs outputs = model.trainer.program().step(feeds);
    CHECK(outputs["learning_rate"].item() == Approx(rates[t]).epsilon(1e-13));
    CHECK(outputs["momentum"].item() == Approx(momenta[t]).epsilon(1e-13));
    for (std::size_t i = 0; i < p.size(); ++i) {
      v[i] = momenta[t] * v[i] + Quadratic<double>::gradient(i, p[i]);
      p[i] -= rates[t] * v[i];
    }
  }
  const std::vector<double> found = model.parameters();
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(found[i] == Approx(p[i]).epsilon(1e-12));
  CHECK_THAT(error_of([&] { model.trainer.program().step(feeds); }),
             Contains("OneCycleLR: step 5 is past its end: it lasts 5") && Contains("(quadratic.h:"));
  CHECK(model.parameters() == found);
  CHECK(model.trainer.program().compilations().size() == 1);
  CHECK_THAT(error_of([&] { Quadratic<double>({.optimizer = Adagrad{}, .schedule = schedule}); }),
             Contains("OneCycleLR moves the momentum, but adagrad has none"));
}

namespace {

// Rates of the epochs of fit(), each of two steps, as the steps report them.
std::vector<double> rates_in_fit(const Schedule& schedule, double start_loss_shift, int epochs) {
  Quadratic<float> model({.optimizer = SGD{.lr = 0.5}, .schedule = schedule});
  Array rows(f32, {4, 8});
  for (float& v : rows.values<float>()) v = static_cast<float>(start_loss_shift);
  FitOptions options{.epochs = epochs, .batch_size = 2, .progress = Progress::off};
  return model.trainer.fit(data::Dataset({{"x", rows}}), options).values("learning_rate");
}

}  // namespace

TEST_CASE("a schedule may count epochs, and a function of one's own is fed") {
  CHECK(rates_in_fit(Schedule(StepLR{.step_size = 1, .gamma = 0.5}).per_epoch(), 0, 3) ==
        std::vector<double>{0.5, 0.25, 0.125});
  CHECK(rates_in_fit(StepLR{.step_size = 1, .gamma = 0.5}, 0, 2) == std::vector<double>{0.375, 0.09375});
  CHECK(rates_in_fit(LambdaLR{[](std::int64_t t) { return t < 2 ? 1.0 : 0.25; }}, 0, 2) ==
        std::vector<double>{0.5, 0.125});
}

TEST_CASE("the rate is reduced on a plateau") {
  Quadratic<float> model({.optimizer = SGD{.lr = 1},
                          .schedule = ReduceLROnPlateau{.factor = 0.5, .patience = 1, .cooldown = 1, .min_lr = 0.3}});
  const auto rate_after = [&](double loss) {
    model.trainer.end_epoch(loss);
    return model.trainer.program().step({{"x", Array(f32, {1, 8})}})["learning_rate"].item();
  };
  CHECK(rate_after(10) == 1);
  CHECK(rate_after(9.9999) == 1);       // no improvement by a ten-thousandth: 1 bad epoch
  CHECK(rate_after(9) == 1);            // better
  CHECK(rate_after(9) == 1);            // 1 bad
  CHECK(rate_after(9) == 0.5);          // 2 bad: more than patience
  CHECK(rate_after(9) == 0.5);          // cooling down
  CHECK(rate_after(9) == 0.5);          // 1 bad
  CHECK(rate_after(9) == Approx(0.3));  // 2 bad; not below min_lr
  CHECK(rate_after(NAN) == Approx(0.3));
  // In fit(): the loss of these data does not fall, as the rate is 0.
  Quadratic<float> still({.optimizer = SGD{.lr = 0}, .schedule = ReduceLROnPlateau{.monitor = {"val_loss"}}});
  const data::Dataset rows({{"x", Array(f32, {4, 8})}});
  CHECK_THAT(error_of([&] { still.trainer.fit(rows, {.epochs = 1, .progress = Progress::off}); }),
             Contains("ReduceLROnPlateau: there is no 'val_loss' to monitor"));
}

}  // namespace pullback::test
