// Linear regression on the diabetes table: regression [FOLDER [EPOCHS]], by default samples/data/tables and 300.
//
// What to look at: ten measures of a patient predict how the disease progresses within a year. The inputs are
// standardized, so the size of a weight says how much its measure counts, and its sign which way: body mass index and
// blood pressure push the prediction up. The explained variance (R^2) on patients that were held out is the honest
// measure; about 0.4 to 0.5 is what a straight line can explain here.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

constexpr std::array kMeasures = {"age", "sex", "body mass index",   "blood pressure",    "total cholesterol",
                                  "ldl", "hdl", "cholesterol / hdl", "log triglycerides", "glucose"};

// R^2 = 1 - (mean squared error) / (variance of the targets), both over the same rows.
double explained(double loss, const pb::data::Dataset& rows) {
  double sum = 0, squares = 0;
  for (float y : rows.column("y").values<float>()) {
    sum += static_cast<double>(y);
    squares += static_cast<double>(y) * static_cast<double>(y);
  }
  const double n = static_cast<double>(rows.size());
  return 1 - loss / (squares / n - (sum / n) * (sum / n));
}

void train(const std::string& folder, int epochs) {
  pb::Array measures = pb::data::load_csv(folder + "/diabetes_data_raw.csv.gz", {.delimiter = ' ', .dtype = pb::f32});
  pb::Array progression = pb::data::load_csv(folder + "/diabetes_target.csv.gz", {.delimiter = ' ', .dtype = pb::f32});
  auto [train_rows, test_rows] = pb::data::Dataset({{"x", measures}, {"y", progression}}).split(0.8, 1);
  // Means and deviations come from the training rows alone: what is held out stays unseen.
  pb::data::Standardizer inputs(train_rows.column("x")), targets(train_rows.column("y"));
  auto standardized = [&](const pb::data::Dataset& rows) {
    return pb::data::Dataset({{"x", inputs.apply(rows.column("x"))}, {"y", targets.apply(rows.column("y"))}});
  };
  pb::data::Dataset training = standardized(train_rows), testing = standardized(test_rows);

  pb::Graph g("diabetes");
  pb::Tensor x = g.input("x", pb::f32, {pb::dim("batch"), 10});
  pb::Tensor y = g.input("y", pb::f32, {pb::dim("batch"), 1});
  pb::Tensor prediction = pb::nn::linear(x, 1, "line");
  pb::Trainer trainer(g, {.loss = pb::mse(prediction, y), .optimizer = pb::SGD{.lr = 0.01}});
  trainer.fit(training, {.epochs = epochs, .batch_size = 32, .progress = pb::Progress::off});

  pb::Array weights = trainer.program().get("line.w");
  for (std::size_t i = 0; i < kMeasures.size(); ++i)
    std::printf("%-18s %+.3f\n", kMeasures[i], static_cast<double>(weights.values<float>()[i]));
  std::printf("explained variance: %.2f on %lld training rows, %.2f on %lld held out\n",
              explained(trainer.evaluate(training).loss, training), static_cast<long long>(training.size()),
              explained(trainer.evaluate(testing).loss, testing), static_cast<long long>(testing.size()));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    train(argc > 1 ? argv[1] : "samples/data/tables", argc > 2 ? std::atoi(argv[2]) : 300);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "regression: %s\n", e.what());
    return 1;
  }
}
