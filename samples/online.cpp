// Learning one example at a time: online [EXAMPLES], by default 4000.
//
// A sensor reads a temperature through a slow drift; a small network learns to predict the true value from the last
// four readings while the readings come in. Each example is seen once, used for one step, and forgotten.
//
// What to look at: the average error of the predictions, made *before* the network sees the answer, falls; half way
// through, the sensor is bumped (its offset jumps) and the error leaps up and falls again: an online learner follows.
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

constexpr int kReadings = 4;

void learn(int examples) {
  pb::Graph g("sensor", {.seed = 3});
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), kReadings});
  pb::Tensor y = g.input("y", pb::f32, {pb::dim("batch"), 1});
  pb::Tensor hidden = pb::tanh(pb::nn::linear(x, 8, "hidden"));
  pb::Tensor prediction = pb::nn::linear(hidden, 1, "out");
  pb::Trainer trainer(g, {.loss = pb::mse(prediction, y), .optimizer = pb::SGD{.lr = 0.05}});

  std::mt19937 random(11);
  std::normal_distribution<float> noise(0.0F, 0.05F);
  std::vector<float> readings(kReadings, 0.0F);
  double error = 0;
  const int report = std::max(1, examples / 10);
  for (int t = 1; t <= examples; ++t) {
    float truth = std::sin(0.05F * static_cast<float>(t));
    float offset = t > examples / 2 ? 0.8F : 0.0F;
    readings.erase(readings.begin());
    readings.push_back(0.7F * truth + offset + noise(random));

    // observe() returns the loss of the prediction that was made before the step.
    error += trainer.observe(pb::Array::from(readings, {1, kReadings}), pb::Array::from(std::vector{truth}, {1, 1}));
    if (t % report == 0) {
      std::printf("examples %6d to %6d: mean squared error %.4f%s\n", t - report + 1, t, error / report,
                  t - report < examples / 2 + 1 && t > examples / 2 ? "   <- the sensor was bumped" : "");
      error = 0;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    learn(argc > 1 ? std::atoi(argv[1]) : 4000);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "online: %s\n", e.what());
    return 1;
  }
}
