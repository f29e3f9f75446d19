// A small MLP tells three species of iris apart: iris [FOLDER [EPOCHS]], by default samples/data/tables and 100.
//
// What to look at: four measures in centimetres, three species, 150 flowers. Training goes back to the epoch with the
// best validation loss at its end, and ends early when that has not improved for a while. The table at the end counts
// which species is taken for which: setosa stands apart, the other two overlap a little in most splits. Thirty flowers
// are few, and they also chose the epoch: the accuracy is a hint, no measurement.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

constexpr const char* kSpecies[] = {"setosa", "versicolor", "virginica"};

void print_confusion(const pb::Array& logits, const pb::Array& labels) {
  int counts[3][3] = {};
  std::span<const float> values = logits.values<float>();
  std::span<const std::int32_t> truth = labels.values<std::int32_t>();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    auto row = values.subspan(3 * i, 3);
    ++counts[truth[i]][std::max_element(row.begin(), row.end()) - row.begin()];
  }
  std::printf("%-12s", "");
  for (const char* name : kSpecies) std::printf("%12s", name);
  for (int t = 0; t < 3; ++t) {
    std::printf("\n%-12s", kSpecies[t]);
    for (int p = 0; p < 3; ++p) std::printf("%12d", counts[t][p]);
  }
  std::printf("\n");
}

void train(const std::string& folder, int epochs) {
  pb::Array table = pb::data::load_csv(folder + "/iris.csv", {.header_lines = 1, .dtype = pb::f32});
  pb::data::Dataset flowers({{"x", pb::data::take_columns(table, {0, 1, 2, 3})}, {"y", pb::data::labels(table, 4, 3)}});
  auto [training, testing] = flowers.split(0.8, 7);
  pb::data::Standardizer measures(training.column("x"));
  training = pb::data::Dataset({{"x", measures.apply(training.column("x"))}, {"y", training.column("y")}});
  testing = pb::data::Dataset({{"x", measures.apply(testing.column("x"))}, {"y", testing.column("y")}});

  pb::Graph g("iris");
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), 4});
  pb::Tensor y = g.input("y", pb::i32, {pb::dim("batch")});
  pb::Tensor hidden = pb::tanh(pb::nn::linear(x, 16, "hidden"));
  pb::Tensor logits = pb::nn::linear(hidden, 3, "out");
  pb::Trainer trainer(g, {.loss = pb::cross_entropy(logits, y),
                          .optimizer = pb::Adam{.lr = 0.01},
                          .metrics = {{"accuracy", pb::accuracy(logits, y)}}});
  pb::History history = trainer.fit(training, {.epochs = epochs,
                                               .batch_size = 16,
                                               .validation = &testing,
                                               .early_stopping = pb::EarlyStopping{.patience = 15},
                                               .progress = pb::Progress::off});
  std::printf("%zu epochs, validation loss %.3f, accuracy %.1f %%\n", history.epochs.size(),
              trainer.evaluate(testing).loss, 100 * trainer.evaluate(testing).value("accuracy"));
  pb::Program predict = g.compile({logits});
  print_confusion(predict.step({{"x", testing.column("x")}})[0], testing.column("y"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    train(argc > 1 ? argv[1] : "samples/data/tables", argc > 2 ? std::atoi(argv[2]) : 100);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "iris: %s\n", e.what());
    return 1;
  }
}
