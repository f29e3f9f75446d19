// A network of seventeen weights learns the exclusive or: xor [STEPS], by default 400.
//
// What to look at: the gradient says which way each weight would *raise* the loss, so each weight moves the other way.
// In the first table every product of gradient and change is negative: all weights move downhill, the first step of
// Adam by the same length for all of them. When the answers are right, the gradients have shrunk to almost nothing:
// there is nothing left to learn.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

const char* direction(float change) {
  return change > 0 ? "up" : change < 0 ? "down" : "stays";
}

void learn(int steps) {
  pb::Graph g("xor", {.seed = 1});
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), 2});
  pb::Tensor y = g.input("y", pb::f32, {pb::dim("batch"), 1});
  pb::Tensor hidden = pb::tanh(pb::nn::linear(x, 4, "hidden"));
  pb::Tensor logits = pb::nn::linear(hidden, 1, "out");
  pb::Tensor loss = pb::bce_with_logits(logits, y);

  pb::Array inputs = pb::Array::from(std::vector<float>{0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  pb::Array answers = pb::Array::from(std::vector<float>{0, 1, 1, 0}, {4, 1});

  // The gradient is a function like any other: it is compiled, and it reads the weights that the trainer changes.
  pb::Trainer trainer(g, {.loss = loss, .optimizer = pb::Adam{.lr = 0.05}});
  pb::Program gradient = g.gradient(loss, g.parameters()).compile();
  pb::Program predict = g.compile({pb::sigmoid(logits)});

  auto print_step = [&](int step) {
    pb::Outputs before = gradient.step({{x, inputs}, {y, answers}});
    std::vector<pb::Array> weights;
    for (const pb::Tensor& p : g.parameters()) weights.push_back(trainer.program().get(p));
    double value = trainer.observe(inputs, answers);
    std::printf("step %d, loss %.4f\n  %-10s %10s %10s %10s\n", step, value, "weight", "value", "gradient", "moves");
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::string name = g.parameters()[i].name();
      const pb::Array after = trainer.program().get(name);
      for (std::size_t j = 0; j < static_cast<std::size_t>(after.size()); ++j) {
        const float old_value = weights[i].values<float>()[j];
        std::printf("  %-7s[%zu] %+10.4f %+10.5f %10s\n", name.c_str(), j, static_cast<double>(old_value),
                    static_cast<double>(before[i].values<float>()[j]), direction(after.values<float>()[j] - old_value));
      }
    }
  };

  print_step(1);
  for (int step = 2; step < steps; ++step) {
    double value = trainer.observe(inputs, answers);
    if (step % 100 == 0) std::printf("step %d, loss %.4f\n", step, value);
  }
  print_step(steps);

  pb::Array answered = predict.step({{x, inputs}})[0];
  for (std::size_t i = 0; i < 4; ++i)
    std::printf("%.0f xor %.0f = %.3f\n", static_cast<double>(inputs.values<float>()[2 * i]),
                static_cast<double>(inputs.values<float>()[2 * i + 1]),
                static_cast<double>(answered.values<float>()[i]));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    learn(argc > 1 ? std::atoi(argv[1]) : 400);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "xor: %s\n", e.what());
    return 1;
  }
}
