// An MLP learns handwritten digits: digits [FOLDER [EPOCHS]], by default samples/data/mnist and 8.
//
// What to look at: the loss falls while the validation accuracy rises and then flattens: from there on the network
// learns the training set by heart. With PULLBACK_DUMP=all PULLBACK_DUMP_DIR=somewhere, the whole training step can be
// read stage by stage: tensor.txt is what this file says, grad.txt what backpropagation makes of it.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

void train(const std::string& folder, int epochs) {
  pb::data::TrainTest digits = pb::data::load_mnist(folder);
  std::printf("%lld digits to train, %lld to test\n", static_cast<long long>(digits.train.size()),
              static_cast<long long>(digits.test.size()));

  pb::Graph g("digits");
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), 784});
  pb::Tensor y = g.input("y", pb::i32, {pb::dim("batch")});
  pb::Tensor h1 = pb::relu(pb::nn::linear(x, 512, "fc1"));
  pb::Tensor h2 = pb::relu(pb::nn::linear(h1, 512, "fc2"));
  pb::Tensor logits = pb::nn::linear(h2, 10, "fc3");
  pb::Tensor loss = pb::cross_entropy(logits, y);

  pb::Trainer trainer(g, {.loss = loss,
                          .optimizer = pb::Adam{.lr = 1e-3},
                          .metrics = {{"accuracy", pb::accuracy(logits, y)}}});
  trainer.fit(digits.train, {.epochs = epochs, .batch_size = 128, .validation = &digits.test});

  if (const char* dumps = std::getenv("PULLBACK_DUMP_DIR")) std::printf("the IR of all stages is in %s\n", dumps);
  std::printf("test accuracy: %.1f %%\n", 100 * trainer.evaluate(digits.test).value("accuracy"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    train(argc > 1 ? argv[1] : "samples/data/mnist", argc > 2 ? std::atoi(argv[2]) : 8);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "digits: %s\n", e.what());
    return 1;
  }
}
