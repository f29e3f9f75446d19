// A small transformer that writes: gpt [TEXT [STEPS]], by default the licence texts of the system and 1500.
//
// It reads characters and learns to tell the next one (Radford et al. 2018): tokens and positions become vectors, four
// layers of causal self-attention mix them, a linear layer scores what may come next. Any text file or folder will do.
//
// What to look at: the validation loss, in nats for each character, on the last tenth of the text, which is not trained
// on: log(number of characters) = about 4.5 for a guess, 3.3 when only the frequencies are known. At the end it writes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "text.h"

namespace {

constexpr std::int64_t kLength = 64, kWidth = 128, kHeads = 4, kLayers = 4, kBatch = 48;

struct Gpt : pb::nn::Module {
  explicit Gpt(std::int64_t characters)
      : Module("gpt"),
        token(register_module("token", pb::nn::Embedding(characters, kWidth, {.initializer = small()}))),
        position(register_module("position", pb::nn::Embedding(kLength, kWidth, {.initializer = small()}))),
        layers(register_module("layers", pb::nn::TransformerEncoder(kLayers, kWidth, kHeads,
                                                                    {.dim_feedforward = 4 * kWidth,
                                                                     .dropout = 0,
                                                                     .activation = activation,
                                                                     .batch_first = true,
                                                                     .norm_first = true},
                                                                    true))),
        head(register_module("head", pb::nn::Linear(kWidth, characters, {.bias = false}))) {}

  static pb::Initializer small() { return pb::Initializer::normal(0, 0.02); }
  static pb::Tensor activation(const pb::Tensor& x) { return pb::gelu(x, pb::Gelu::tanh); }

  /// ids [B,T] -> logits [B,T,characters].
  pb::Tensor forward(const pb::Tensor& ids) const override {
    pb::Graph g(ids.trace());
    pb::Tensor places = g.iota({kLength}, 0, pb::i32);
    return head(layers(token(ids) + position(places), {.is_causal = true}));
  }

  pb::nn::Embedding token, position;
  pb::nn::TransformerEncoder layers;
  pb::nn::Linear head;
};

// Continues the text: the window slides over what has been written.
void write(pb::Program& program, const text::Vocabulary& vocabulary, std::vector<std::int32_t> ids, int count) {
  pb::Array window(pb::i32, {1, kLength});
  pb::BoundStep step = program.bind({{"x", window}});
  std::mt19937 random(7);
  const auto characters = static_cast<std::size_t>(vocabulary.size());
  for (int i = 0; i < count; ++i) {
    std::copy(ids.end() - kLength, ids.end(), window.values<std::int32_t>().begin());
    step.step();
    const auto logits = step.outputs()[0].values<float>();
    ids.push_back(text::draw(logits.subspan(logits.size() - characters), 0.8F, random));
    std::putchar(vocabulary.character(ids.back()));
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

  pb::Graph g("gpt", {.seed = 1});
  pb::Tensor x = g.input("x", pb::i32, {pb::dim("batch"), kLength});
  pb::Tensor y = g.input("y", pb::i32, {pb::dim("batch"), kLength});
  pb::Tensor logits = Gpt(vocabulary.size())(x);
  pb::Trainer trainer(g, {.loss = pb::cross_entropy(logits, y),
                          .optimizer = pb::AdamW{.lr = 2e-3, .beta2 = 0.99, .weight_decay = 0.1},
                          .schedule = pb::warm_up(100, pb::CosineAnnealingLR{.T_max = std::max(1, steps - 100)}),
                          .clip_norm = 1.0});
  std::int64_t weights = 0;
  for (const pb::Tensor& parameter : g.parameters()) {
    std::int64_t count = 1;
    for (const pb::Dim& size : parameter.shape()) count *= size.constant();
    weights += count;
  }
  std::printf("%zu characters, %lld different ones; %lld weights\n", ids.size(),
              static_cast<long long>(vocabulary.size()), static_cast<long long>(weights));

  text::train(trainer, known, text::Stretches(kBatch, kLength), steps);
  std::printf("validation loss: %.3f nats\n", trainer.evaluate(validation, 64).loss);
  pb::Program program = g.compile({logits});
  write(program, vocabulary, unseen, 400);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    learn(argc > 1 ? argv[1] : "/usr/share/common-licenses", argc > 2 ? std::atoi(argv[2]) : 1500);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpt: %s\n", e.what());
    return 1;
  }
}
