// A recurrent network that writes: charlstm [TEXT [STEPS]], by default the licence texts of the system and 1500.
//
// An LSTM (Hochreiter and Schmidhuber 1997) reads a text character by character and tells the next one; what it has
// read is kept in its state. Training unrolls 64 characters; the loop stays a loop in the compiled code, forward and
// backward.
//
// What to look at: to write, the same layers are called a second time, for one character and with the state as input
// and output: two calls of a module share its weights. The validation loss is in nats for each character, on the last
// tenth of the text, which is not trained on.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "text.h"

namespace nn = pullback::nn;

namespace {

constexpr std::int64_t kLength = 64, kWidth = 192, kBatch = 32;

struct Network : nn::Module {
  explicit Network(std::int64_t characters)
      : Module("network"),
        token(register_module("token", nn::Embedding(characters, 64))),
        lstm(register_module("lstm", nn::LSTM(64, kWidth, {.batch_first = true}))),
        head(register_module("head", nn::Linear(kWidth, characters))) {}
  nn::Embedding token;
  nn::LSTM lstm;
  nn::Linear head;
};

void write(pb::Program& program, const text::Vocabulary& vocabulary, std::int32_t first, int count) {
  pb::Array id(pb::i32, {1, 1}), h(pb::f32, {1, 1, kWidth}), c(pb::f32, {1, 1, kWidth});
  pb::BoundStep step = program.bind({{"one", id}, {"h", h}, {"c", c}});
  std::mt19937 random(7);
  id.values<std::int32_t>()[0] = first;
  for (int i = 0; i < count; ++i) {
    step.step();
    const pb::Outputs& out = step.outputs();
    id.values<std::int32_t>()[0] = text::draw(out[0].values<float>(), 0.7F, random);
    std::copy(out[1].values<float>().begin(), out[1].values<float>().end(), h.values<float>().begin());
    std::copy(out[2].values<float>().begin(), out[2].values<float>().end(), c.values<float>().begin());
    std::putchar(vocabulary.character(id.values<std::int32_t>()[0]));
  }
  std::putchar('\n');
}

void learn(const std::string& path, int steps) {
  const std::string all = text::read(path);
  const text::Vocabulary vocabulary(all);
  const std::vector<std::int32_t> ids = vocabulary.encode(all);
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() * 9 / 10);
  const std::vector<std::int32_t> known(ids.begin(), end), unseen(end, ids.end());
  const pb::data::Dataset validation = text::cut(unseen, kLength, 512);
  std::printf("%zu characters, %lld different ones\n", ids.size(), static_cast<long long>(vocabulary.size()));

  pb::Graph g("charlstm", {.seed = 1});
  Network net(vocabulary.size());
  pb::Tensor x = g.input("x", pb::i32, {pb::dim("batch"), kLength});
  pb::Tensor y = g.input("y", pb::i32, {pb::dim("batch"), kLength});
  pb::Tensor logits = net.head(net.lstm(net.token(x)).y);
  pb::Trainer trainer(g, {.loss = pb::cross_entropy(logits, y),
                          .optimizer = pb::Adam{.lr = 4e-3},
                          .schedule = pb::CosineAnnealingLR{.T_max = std::max(1, steps), .eta_min = 2e-4},
                          .clip_norm = 1.0});

  text::train(trainer, known, text::Stretches(kBatch, kLength), steps);
  std::printf("validation loss: %.3f nats\n", trainer.evaluate(validation, 64).loss);

  // One character, with the state going in and coming out.
  pb::Tensor one = g.input("one", pb::i32, {1, 1});
  pb::Tensor h = g.input("h", pb::f32, {1, 1, kWidth}), c = g.input("c", pb::f32, {1, 1, kWidth});
  const pb::Recurrent next = net.lstm(net.token(one), h, c);
  pb::Program program = g.compile({net.head(next.y), next.h, next.c});
  write(program, vocabulary, unseen.front(), 400);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    learn(argc > 1 ? argv[1] : "/usr/share/common-licenses", argc > 2 ? std::atoi(argv[2]) : 1500);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "charlstm: %s\n", e.what());
    return 1;
  }
}
