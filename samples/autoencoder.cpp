// Learning without labels: autoencoder [FOLDER [EPOCHS]], by default samples/data/mnist and 20.
//
// A network squeezes each handwritten digit, 784 pixels, through 16 numbers and draws it again from those. There are no
// right answers in the data: the target is the input itself, and the error is how far the drawing is from the digit.
//
// What to look at: the error on digits that were never seen, beside that of always drawing the average digit, which is
// what 0 numbers allow; and one digit with its drawing. What must be left out to get through 16 numbers are the
// peculiarities: the drawing is smoother than the digit.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

constexpr std::int64_t kPixels = 784, kCode = 16;

// The mean square distance of `images` from the average of `known`.
double error_of_average(const pb::Array& known, const pb::Array& images) {
  std::vector<double> average(kPixels, 0.0);
  const std::span<const float> seen = known.values<float>(), tested = images.values<float>();
  for (std::size_t i = 0; i < seen.size(); ++i)
    average[i % kPixels] += seen[i] * kPixels / static_cast<double>(seen.size());
  double sum = 0;
  for (std::size_t i = 0; i < tested.size(); ++i) {
    const double difference = tested[i] - average[i % kPixels];
    sum += difference * difference;
  }
  return sum / static_cast<double>(tested.size());
}

void show(std::span<const float> digit, std::span<const float> drawing) {
  const auto row = [](std::span<const float> image, std::size_t y) {
    std::string text;
    for (std::size_t x = 0; x < 28; ++x)
      text += " .:-=+*#%@"[static_cast<std::size_t>(std::clamp(image[y * 28 + x], 0.0F, 0.99F) * 10)];
    return text;
  };
  for (std::size_t y = 4; y < 26; ++y) std::printf("%s  %s\n", row(digit, y).c_str(), row(drawing, y).c_str());
}

void train(const std::string& folder, int epochs) {
  const pb::data::TrainTest digits = pb::data::load_mnist(folder);
  const pb::data::Dataset known({{"x", digits.train.column("x")}}), unseen({{"x", digits.test.column("x")}});

  pb::Graph g("autoencoder", {.seed = 1});
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), kPixels});
  pb::Tensor code = pb::nn::linear(pb::relu(pb::nn::linear(x, 256, "encoder.hidden")), kCode, "encoder.code");
  pb::Tensor logits = pb::nn::linear(pb::relu(pb::nn::linear(code, 256, "decoder.hidden")), kPixels, "decoder.pixels");
  pb::Tensor drawing = pb::sigmoid(logits);

  pb::Trainer trainer(g, {.loss = pb::mse(drawing, x), .optimizer = pb::Adam{.lr = 1e-3}});
  trainer.fit(known, {.epochs = epochs, .batch_size = 64, .validation = &unseen});

  const pb::Array one = pb::data::take_rows(unseen.column("x"), {0});
  show(one.values<float>(), trainer.predict(drawing, {{x, one}}).values<float>());
  std::printf("mean square error of unseen digits: %.4f by %lld numbers, %.4f by the average digit\n",
              trainer.evaluate(unseen).loss, static_cast<long long>(kCode),
              error_of_average(known.column("x"), unseen.column("x")));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    train(argc > 1 ? argv[1] : "samples/data/mnist", argc > 2 ? std::atoi(argv[2]) : 20);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "autoencoder: %s\n", e.what());
    return 1;
  }
}
