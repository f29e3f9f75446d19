// Each optimizer against its formula in plain double-precision loops, in the compiled step, at f64 and f32.
#include <cmath>
#include <filesystem>
#include <functional>

#include "tests/train/quadratic.h"

namespace pullback::test {

namespace {

struct Slots {
  double a = 0, b = 0, c = 0;
};

// One element's update: p with its slots, the gradient g, the number t of the step from 1.
using Formula = std::function<double(double p, double g, int t, Slots& slots)>;

struct Case {
  const char* what;
  Optimizer optimizer;
  Formula formula;
};

constexpr double kRate = 0.05;

double bias(double beta, int t) {
  return 1 - std::pow(beta, t);
}

std::vector<Case> sgd_cases() {
  return {
      {"plain, weight decay", SGD{.lr = kRate, .weight_decay = 0.1},
       [](double p, double g, int, Slots&) { return p - kRate * (g + 0.1 * p); }},
      {"dampening", SGD{.lr = kRate, .momentum = 0.9, .dampening = 0.3},
       [](double p, double g, int t, Slots& s) {
         s.a = t == 1 ? g : 0.9 * s.a + 0.7 * g;
         return p - kRate * s.a;
       }},
      {"nesterov, maximize", SGD{.lr = kRate / 4, .momentum = 0.8, .nesterov = true, .maximize = true},
       [](double p, double g, int, Slots& s) {
         s.a = 0.8 * s.a - g;
         return p - kRate / 4 * (-g + 0.8 * s.a);
       }},
  };
}

std::vector<Case> scaled_cases() {
  return {
      {"RMSprop", RMSprop{.lr = kRate, .alpha = 0.9, .weight_decay = 0.1},
       [](double p, double g, int, Slots& s) {
         g += 0.1 * p;
         s.a = 0.9 * s.a + 0.1 * g * g;
         return p - kRate * g / (std::sqrt(s.a) + 1e-8);
       }},
      {"RMSprop centered with momentum", RMSprop{.lr = kRate / 10, .alpha = 0.8, .momentum = 0.7, .centered = true},
       [](double p, double g, int, Slots& s) {
         s.a = 0.8 * s.a + 0.2 * g * g;
         s.b = 0.8 * s.b + 0.2 * g;
         s.c = 0.7 * s.c + g / (std::sqrt(s.a - s.b * s.b) + 1e-8);
         return p - kRate / 10 * s.c;
       }},
      {"Adagrad", Adagrad{.lr = kRate, .lr_decay = 0.1, .initial_accumulator_value = 0.5},
       [](double p, double g, int t, Slots& s) {
         if (t == 1) s.a = 0.5;
         s.a += g * g;
         return p - kRate / (1 + (t - 1) * 0.1) * g / (std::sqrt(s.a) + 1e-10);
       }},
      {"Adadelta", Adadelta{.lr = 2, .rho = 0.8},
       [](double p, double g, int, Slots& s) {
         s.a = 0.8 * s.a + 0.2 * g * g;
         const double change = std::sqrt(s.b + 1e-6) / std::sqrt(s.a + 1e-6) * g;
         s.b = 0.8 * s.b + 0.2 * change * change;
         return p - 2 * change;
       }},
      {"Lion", Lion{.lr = kRate, .weight_decay = 0.1},
       [](double p, double g, int, Slots& s) {
         const double u = 0.9 * s.a + 0.1 * g;
         s.a = 0.99 * s.a + 0.01 * g;
         return p * (1 - kRate * 0.1) - kRate * ((u > 0) - (u < 0));
       }},
  };
}

std::vector<Case> adam_cases() {
  const auto moments = [](double g, Slots& s, double beta2) {
    s.a = 0.9 * s.a + 0.1 * g;
    s.b = beta2 * s.b + (1 - beta2) * g * g;
  };
  return {
      {"Adam", Adam{.lr = kRate, .weight_decay = 0.1},
       [=](double p, double g, int t, Slots& s) {
         moments(g + 0.1 * p, s, 0.999);
         return p - kRate * (s.a / bias(0.9, t)) / (std::sqrt(s.b / bias(0.999, t)) + 1e-8);
       }},
      {"AMSGrad", Adam{.lr = kRate, .beta2 = 0.5, .amsgrad = true},
       [=](double p, double g, int t, Slots& s) {
         moments(g, s, 0.5);
         s.c = std::max(s.c, s.b);
         return p - kRate * (s.a / bias(0.9, t)) / (std::sqrt(s.c / bias(0.5, t)) + 1e-8);
       }},
      {"AdamW, maximize", AdamW{.lr = kRate, .weight_decay = 0.2, .maximize = true},
       [=](double p, double g, int t, Slots& s) {
         moments(-g, s, 0.999);
         return p * (1 - kRate * 0.2) - kRate * (s.a / bias(0.9, t)) / (std::sqrt(s.b / bias(0.999, t)) + 1e-8);
       }},
      {"Adamax", Adamax{.lr = kRate},
       [](double p, double g, int t, Slots& s) {
         s.a = 0.9 * s.a + 0.1 * g;
         s.b = std::max(0.999 * s.b, std::abs(g) + 1e-8);
         return p - kRate / bias(0.9, t) * s.a / s.b;
       }},
      {"NAdam", NAdam{.lr = kRate, .momentum_decay = 0.02},
       [=](double p, double g, int t, Slots& s) {
         const auto mu = [](int step) { return 0.9 * (1 - 0.5 * std::pow(0.96, step * 0.02)); };
         moments(g, s, 0.999);
         s.c = (t == 1 ? 1 : s.c) * mu(t);
         const double root = std::sqrt(s.b / bias(0.999, t)) + 1e-8;
         return p - kRate * (1 - mu(t)) / (1 - s.c) * g / root - kRate * mu(t + 1) / (1 - s.c * mu(t + 1)) * s.a / root;
       }},
      {"RAdam", RAdam{.lr = kRate, .beta2 = 0.9},  // rectified from step 7 on
       [=](double p, double g, int t, Slots& s) {
         moments(g, s, 0.9);
         const double m = s.a / bias(0.9, t), inf = 2 / (1 - 0.9) - 1,
                      rho = inf - 2 * t * std::pow(0.9, t) / bias(0.9, t);
         if (rho <= 5) return p - kRate * m;
         const double r = std::sqrt((rho - 4) * (rho - 2) * inf / ((inf - 4) * (inf - 2) * rho));
         return p - kRate * m * r * std::sqrt(bias(0.9, t)) / (std::sqrt(s.b) + 1e-8);
       }},
  };
}

template <class T>
void check_case(const Case& c, double tolerance) {
  INFO(c.what << " " << name_of(dtype_of<T>));
  Quadratic<T> model({.optimizer = c.optimizer});
  std::vector<double> expected = Quadratic<T>::kStart;
  std::vector<Slots> slots(expected.size());
  for (int t = 1; t <= 12; ++t) {
    model.step();
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = c.formula(expected[i], Quadratic<T>::gradient(i, expected[i]), t, slots[i]);
  }
  const std::vector<double> p = model.parameters();
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(std::abs(p[i] - expected[i]) <= tolerance);
}

void check_all(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    check_case<double>(c, 1e-13);
    check_case<float>(c, 4e-6);
  }
}

}  // namespace

TEST_CASE("SGD follows its formula") {
  check_all(sgd_cases());
}

TEST_CASE("optimizers that scale by the gradient's size follow their formulas") {
  check_all(scaled_cases());
}

TEST_CASE("Adam's family follows its formulas") {
  check_all(adam_cases());
}

TEST_CASE("LAMB scales each parameter's step to its norm") {
  Quadratic<double> model({.optimizer = LAMB{.lr = kRate, .weight_decay = 0.1}});
  std::vector<double> p = Quadratic<double>::kStart, m(p.size()), v(p.size());
  for (int t = 1; t <= 12; ++t) {
    model.step();
    // The parameters are "a", the first three elements, and "b", the others.
    for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 3}, {3, p.size()}}) {
      std::vector<double> direction(p.size());
      double size = 0, length = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const double g = Quadratic<double>::gradient(i, p[i]);
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        direction[i] = m[i] / bias(0.9, t) / (std::sqrt(v[i] / bias(0.999, t)) + 1e-6) + 0.1 * p[i];
        size += p[i] * p[i];
        length += direction[i] * direction[i];
      }
      for (std::size_t i = begin; i < end; ++i) p[i] -= kRate * std::sqrt(size / length) * direction[i];
    }
  }
  const std::vector<double> found = model.parameters();
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(found[i] == Approx(p[i]).epsilon(1e-12));
}

TEST_CASE("a resumed run gives the bits of one that was not interrupted, with each optimizer") {
  const std::string path = (std::filesystem::temp_directory_path() / "pullback_test_optimizers.ckpt").string();
  std::vector<Case> cases = sgd_cases();
  for (const auto& more : {scaled_cases(), adam_cases()}) cases.insert(cases.end(), more.begin(), more.end());
  cases.push_back({"LAMB", LAMB{.lr = kRate}, {}});
  cases.push_back({"LBFGS", LBFGS{.lr = kRate, .history_size = 3}, {}});
  cases.push_back({"LBFGS, line search", LBFGS{.history_size = 3, .line_search = LBFGS::LineSearch::backtracking}, {}});
  for (const Case& c : cases) {
    INFO(c.what);
    const TrainerOptions options{
        .optimizer = c.optimizer, .schedule = ExponentialLR{.gamma = 0.9}, .accumulate = 2, .ema = Ema{.decay = 0.5}};
    Quadratic<float> whole(options, reference()), resumed(options, reference());
    for (int i = 0; i < 5; ++i) whole.step();
    whole.trainer.save(path);
    for (int i = 0; i < 4; ++i) whole.step();
    resumed.step();  // something to be overwritten
    resumed.trainer.load(path);
    for (int i = 0; i < 4; ++i) resumed.step();
    check_same_bits(whole.trainer.state(), resumed.trainer.state());
  }
  std::filesystem::remove(path);
}

TEST_CASE("options out of range are refused with the optimizer's name and the value") {
  const auto contains = [](const std::string& text) { return Catch::Matchers::Contains(text); };
  CHECK_THAT(error_of([] { Optimizer(SGD{.lr = -1}); }), contains("SGD: lr is -1") && contains("test_optimizers.cpp"));
  CHECK_THAT(error_of([] { Optimizer(Adam{.beta1 = 1}); }), contains("Adam: beta1 is 1: it must lie in [0, 1)"));
  CHECK_THAT(error_of([] { Optimizer(AdamW{.weight_decay = -0.1}); }), contains("AdamW: weight_decay is -0.1"));
  CHECK_THAT(error_of([] { Optimizer(RMSprop{.alpha = 1.5}); }), contains("RMSprop: alpha is 1.5"));
  CHECK_THAT(error_of([] { Optimizer(Adadelta{.rho = 2}); }), contains("Adadelta: rho is 2"));
  CHECK_THAT(error_of([] { Optimizer(SGD{.nesterov = true}); }), contains("nesterov needs a momentum"));
  CHECK_THAT(error_of([] { Optimizer(LBFGS{.history_size = 0}); }), contains("LBFGS: history_size is 0"));
}

namespace {

// Rosenbrock's valley from (-1.2, 1): the loss after so many steps.
double rosenbrock(const Optimizer& optimizer, int steps) {
  Graph g("valley");
  const Tensor p = g.parameter("p", {2}, Initializer::from(Array::from<double>({-1.2, 1}, {2})), f64);
  const Tensor x = narrow(p, 0, 0, 1), y = narrow(p, 0, 1, 1);
  const Tensor loss = sum(square(1.0 - x) + 100.0 * square(y - square(x)));
  Trainer trainer(g, {.loss = loss, .optimizer = optimizer});
  double best = INFINITY;
  for (int i = 0; i < steps; ++i) best = std::min(best, trainer.observe(std::vector<Feed>{}));
  return best;
}

}  // namespace

TEST_CASE("L-BFGS finds the valley's end where gradient descent crawls") {
  CHECK(rosenbrock(LBFGS{.line_search = LBFGS::LineSearch::backtracking}, 80) < 1e-12);
  CHECK(rosenbrock(SGD{.lr = 1e-3}, 80) > 1e-2);
}

TEST_CASE("L-BFGS solves least squares in about as many steps as unknowns") {
  Quadratic<double> lbfgs({.optimizer = LBFGS{}}), descent({.optimizer = SGD{.lr = 0.3}});
  for (int i = 0; i < 15; ++i) {
    lbfgs.step();
    descent.step();
  }
  CHECK(lbfgs.loss() < 1e-12);
  CHECK(lbfgs.loss() < 1e-3 * descent.loss());
}

TEST_CASE("a rule for all parameters together keeps slots of its own shapes") {
  Optimizer pooled;
  pooled.name = "pooled";
  pooled.learning_rate = 0.1;
  pooled.rule = [](Update& update) {
    const Tensor count = update.slot("count", i64, {2}, 5);
    update.set(count, count + 1);
    for (const Update::Parameter& p : update.parameters())
      update.set(p.value, p.value - cast(p.learning_rate, p.value.dtype()) * p.gradient);
  };
  Quadratic<float> model({.optimizer = pooled});
  model.step();
  model.step();
  CHECK(numbers(model.trainer.state().get("pooled.count")) == std::vector<double>{7, 7});
  pooled.rule = [](Update& update) { update.set(update.parameters()[0].value, update.step()); };
  CHECK_THAT(error_of([&] { Quadratic<float>({.optimizer = pooled}); }),
             Catch::Matchers::Contains("optimizer pooled: the rule sets a f32[3] to f64[]"));
}

}  // namespace pullback::test
