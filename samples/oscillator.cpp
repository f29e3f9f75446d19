// A network that obeys a law of physics: oscillator [STEPS], by default 4000.
//
// A mass on a damped spring moves by u'' + 2 d u' + w^2 u = 0, from u(0) = 1 at rest. The network u(t) never sees a
// solution. Its loss is how badly it breaks the law at random times, plus how far its start is off (Raissi et al.
// 2019). The loss holds the network's own second derivative with respect to its *input*; training differentiates that a
// third time, with respect to the weights.
//
// What to look at: the printed table puts the network beside the exact solution, which it finds from the law alone.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <vector>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

constexpr double kDamping = 0.5, kFrequency = 4, kEnd = 2;

double exact(double t) {
  const double w = std::sqrt(kFrequency * kFrequency - kDamping * kDamping);
  return std::exp(-kDamping * t) * (std::cos(w * t) + kDamping / w * std::sin(w * t));
}

pb::Tensor network(const pb::Tensor& t) {
  pb::Tensor h1 = pb::tanh(pb::nn::linear(t, 32, "h1"));
  pb::Tensor h2 = pb::tanh(pb::nn::linear(h1, 32, "h2"));
  return pb::nn::linear(h2, 1, "u");
}

void learn(int steps) {
  pb::Graph g("oscillator", {.seed = 2});
  pb::Tensor t = g.input("t", pb::f32, {pb::dim("batch"), 1});
  pb::Tensor u = network(t);
  // u of one row depends on t of that row alone: the gradient of the sum is the derivative at each time.
  pb::Tensor speed = pb::gradients(pb::sum(u), {t})[0];
  pb::Tensor acceleration = pb::gradients(pb::sum(speed), {t})[0];
  pb::Tensor law = acceleration + 2 * kDamping * speed + kFrequency * kFrequency * u;

  // The first row of each batch is t = 0.
  pb::Tensor start = pb::square(pb::narrow(u, 0, 0, 1) - 1) + pb::square(pb::narrow(speed, 0, 0, 1) / kFrequency);
  pb::Tensor loss = pb::mean(pb::square(law)) / std::pow(kFrequency, 4) + pb::sum(start);
  pb::Trainer trainer(g, {.loss = loss, .optimizer = pb::Adam{.lr = 2e-3}});

  std::mt19937 random(5);
  std::uniform_real_distribution<float> moment(0, static_cast<float>(kEnd));
  constexpr std::int64_t kTimes = 64;
  std::vector<float> times(kTimes, 0.0F);
  for (int step = 1; step <= steps; ++step) {
    if (step == steps / 2) trainer.set_learning_rate(5e-4);
    for (std::size_t i = 1; i < times.size(); ++i) times[i] = moment(random);
    const double now = trainer.observe({{t, pb::Array::from(times, {kTimes, 1})}});
    if (step % std::max(1, steps / 8) == 0) std::printf("step %5d: loss %.2e\n", step, now);
  }

  constexpr int kRows = 41;
  std::vector<float> grid(kRows);
  for (std::size_t i = 0; i < grid.size(); ++i)
    grid[i] = static_cast<float>(kEnd * static_cast<double>(i) / (kRows - 1));
  const pb::Array found = trainer.predict(u, {{t, pb::Array::from(grid, {kRows, 1})}});
  double worst = 0;
  std::printf("   t  network   exact\n");
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const double value = found.values<float>()[i], truth = exact(grid[i]);
    worst = std::max(worst, std::abs(value - truth));
    if (i % 5 == 0) std::printf("%4.2f %8.4f %8.4f\n", grid[i], value, truth);
  }
  std::printf("largest error: %.4f\n", worst);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    learn(argc > 1 ? std::atoi(argv[1]) : 4000);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "oscillator: %s\n", e.what());
    return 1;
  }
}
