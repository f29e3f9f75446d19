// Training end to end: what is learned, and that the bits do not depend on how the steps are run.
#include <cmath>
#include <cstring>
#include <filesystem>

#include "tests/train/quadratic.h"

namespace pullback::test {

namespace {

// A small classifier; everything about it is fixed by the seed.
struct Network {
  Graph g{"net", {.seed = 5}};
  Tensor x = g.input("x", f32, {dim("batch"), 6});
  Tensor y = g.input("y", i32, {dim("batch")});
  Tensor logits = nn::linear(tanh(nn::linear(x, 16, "fc1")), 3, "fc2");
  Tensor loss = cross_entropy(logits, y);
  Trainer trainer;

  explicit Network(const Optimizer& optimizer = Adam{.lr = 0.01}, const CompileOptions& options = {})
      : trainer(g, {.loss = loss,
                    .optimizer = optimizer,
                    .metrics = {{"accuracy", accuracy(logits, y)}},
                    .compile = options}) {}
};

// Three noisy clusters.
data::Dataset clusters(std::int64_t n) {
  std::vector<float> x;
  std::vector<std::int32_t> y;
  std::uint32_t bits = 12345;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto label = static_cast<std::int32_t>(i % 3);
    y.push_back(label);
    for (int j = 0; j < 6; ++j) {
      bits = bits * 1664525U + 1013904223U;
      const float noise = static_cast<float>(bits >> 8) * 0x1p-24F - 0.5F;
      x.push_back((j % 3 == label ? 1.0F : 0.0F) + noise);
    }
  }
  return data::Dataset({{"x", Array::from(x, {n, 6})}, {"y", Array::from(y, {n})}});
}

FitOptions quiet(int epochs, std::int64_t batch_size = 16) {
  return {.epochs = epochs, .batch_size = batch_size, .progress = Progress::off};
}

double train_xor(const Optimizer& optimizer, const CompileOptions& options, int steps) {
  Graph g("xor", {.seed = 1});
  const Tensor x = g.input("x", f32, {dim("batch"), 2}), y = g.input("y", f32, {dim("batch"), 1});
  const Tensor logits = nn::linear(tanh(nn::linear(x, 8, "hidden")), 1, "out");
  Trainer trainer(g, {.loss = bce_with_logits(logits, y), .optimizer = optimizer, .compile = options});
  const Array inputs = floats({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2}), targets = floats({0, 1, 1, 0}, {4, 1});
  double loss = 0;
  for (int i = 0; i < steps; ++i) loss = trainer.observe(inputs, targets);
  return loss;
}

}  // namespace

TEST_CASE("what is added to a graph later is not part of its trainer's evaluation", "[train]") {
  Network network;
  check(less(network.x, -100.0), "added later");
  const data::Dataset data = clusters(32);
  CHECK_NOTHROW(network.trainer.evaluate(data, 16));
  CHECK(network.trainer.evaluation_program().input_names() == std::vector<std::string>{"x", "y"});
}

TEST_CASE("XOR is learned, by each optimizer") {
  CHECK(train_xor(SGD{.lr = 0.5}, {}, 2000) < 0.02);
  CHECK(train_xor(SGD{.lr = 0.1, .momentum = 0.9}, {}, 1000) < 0.02);
  CHECK(train_xor(SGD{.lr = 0.1, .momentum = 0.9, .nesterov = true}, {}, 1000) < 0.02);
  CHECK(train_xor(Adam{.lr = 0.05}, {}, 400) < 0.02);
  CHECK(train_xor(AdamW{.lr = 0.05, .weight_decay = 1e-4}, {}, 400) < 0.02);
}

TEST_CASE("the compiled step agrees with the reference evaluator") {
  for (const Optimizer& optimizer : {Optimizer(SGD{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01}),
                                     Optimizer(Adam{.lr = 0.05}), Optimizer(AdamW{.lr = 0.05})})
    CHECK(train_xor(optimizer, {}, 20) == Approx(train_xor(optimizer, reference(), 20)).epsilon(1e-4));
}

TEST_CASE("linear regression recovers the weights") {
  Graph g("line");
  const Tensor x = g.input("x", f32, {dim("batch"), 3}), y = g.input("y", f32, {dim("batch"), 1});
  const Tensor loss = mse(nn::linear(x, 1, "line"), y);
  Trainer trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0.1}});
  std::vector<float> inputs, targets;
  for (int i = 0; i < 200; ++i) {
    const auto t = static_cast<float>(i);
    const float a = std::sin(t), b = std::cos(2 * t), c = std::sin(3 * t + 1);
    inputs.insert(inputs.end(), {a, b, c});
    targets.push_back(2 * a - 3 * b + 0.5F * c + 1);
  }
  trainer.fit(data::Dataset({{"x", floats(inputs, {200, 3})}, {"y", floats(targets, {200, 1})}}), quiet(100, 20));
  const std::vector<double> w = numbers(trainer.program().get("line.w"));
  CHECK(w[0] == Approx(2).margin(1e-3));
  CHECK(w[1] == Approx(-3).margin(1e-3));
  CHECK(w[2] == Approx(0.5).margin(1e-3));
  CHECK(trainer.program().get("line.b").item() == Approx(1).margin(1e-3));
}

TEST_CASE("fit, single steps and bound steps give the same bits") {
  const data::Dataset dataset = clusters(48);
  Network fitted, stepped, bound;
  FitOptions options = quiet(2);
  options.shuffle = false;
  const History history = fitted.trainer.fit(dataset, options);
  CHECK(history.epochs.size() == 2);
  for (int epoch = 0; epoch < 2; ++epoch)
    for (std::int64_t begin = 0; begin < 48; begin += 16) {
      const data::Dataset rows = dataset.slice(begin, begin + 16);
      stepped.trainer.program().step({{stepped.x, rows.column("x")}, {stepped.y, rows.column("y")}});
    }
  check_same_bits(fitted.trainer.state(), stepped.trainer.state());

  Array x(f32, {16, 6}), y(i32, {16});
  BoundStep step = bound.trainer.program().bind({{bound.x, x}, {bound.y, y}});
  for (int epoch = 0; epoch < 2; ++epoch)
    for (std::int64_t begin = 0; begin < 48; begin += 16) {
      const data::Dataset rows = dataset.slice(begin, begin + 16);
      std::memcpy(x.raw(), rows.column("x").raw(), x.bytes());
      std::memcpy(y.raw(), rows.column("y").raw(), y.bytes());
      step.step();
    }
  check_same_bits(fitted.trainer.state(), bound.trainer.state());
}

TEST_CASE("the last, smaller batch is trained on as well, and accuracy is the whole set's") {
  Network network;
  network.trainer.fit(clusters(100), quiet(30));
  const Evaluation evaluation = network.trainer.evaluate(clusters(100), 64);
  CHECK(evaluation.value("accuracy") > 0.9);
  CHECK(network.trainer.state().get("step").item() == 30 * 7);
}

TEST_CASE("a prediction changes nothing, with dropout neither") {
  Graph g("calm", {.seed = 2});
  const Tensor x = g.input("x", f32, {dim("batch"), 6});
  const Tensor y = nn::linear(dropout(x, 0.5), 2, "fc");
  Trainer trainer(g, {.loss = mean(square(y)), .optimizer = SGD{}});
  const Array inputs = clusters(8).column("x");
  trainer.observe({{x, inputs}});
  const auto counter = [&] { return trainer.state().get("rng.step").item(); };
  const double before = counter();
  trainer.predict(y, {{x, inputs}});
  CHECK(counter() == before);
  trainer.observe({{x, inputs}});
  CHECK(counter() == before + 1);
}

TEST_CASE("one example is a batch of one, to observe and to predict") {
  Network network;
  const Array example = floats({1, 0, 0, 1, 0, 0}, {6});
  const Array alone = network.trainer.predict(network.logits, {{network.x, example}});
  const Array batch = network.trainer.predict(network.logits, {{network.x, example.reshape({1, 6})}});
  CHECK(alone.dims() == std::vector<std::int64_t>{1, 3});
  CHECK(std::memcmp(alone.raw(), batch.raw(), batch.bytes()) == 0);
}

TEST_CASE("observe refuses NaN and infinities, and the state stays") {
  Network network;
  const Array label = Array::from(std::vector<std::int32_t>{1}, {1});
  const State before = network.trainer.state().clone();
  const std::vector<std::pair<float, std::string>> numbers{{NAN, "nan"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}};
  for (const auto& [number, text] : numbers)
    CHECK_THAT(error_of([&] { network.trainer.observe(floats({1, 0, 0, number, 0, 0}, {6}), label); }),
               Catch::Contains("observe: element 3 of input x is " + text + ": numbers must be finite") &&
                   Catch::Contains("(test_training.cpp:"));
  for (const auto& entry : before.entries())
    CHECK(std::memcmp(entry.value.raw(), network.trainer.state().get(entry.name).raw(), entry.value.bytes()) == 0);
}

TEST_CASE("a Trainer that was moved from says so") {
  Network network;
  const Trainer taken = std::move(network.trainer);
  CHECK_THAT(error_of([&] { network.trainer.inputs(); }), Catch::Contains("Trainer: it was moved from"));
  const auto here = Catch::Matches("Trainer: it was moved from.*\\(test_training.cpp:.*");
  CHECK_THAT(error_of([&] { network.trainer.fit(clusters(8)); }), here);
  CHECK_THAT(error_of([&] { network.trainer.observe({{"x", Array()}}); }), here);
  CHECK_THAT(error_of([&] { network.trainer.predict(network.logits, {}); }), here);
  CHECK_THAT(error_of([&] { network.trainer.evaluate(clusters(8)); }), here);
  CHECK_THAT(error_of([&] { network.trainer.save("net.ckpt"); }), here);
  CHECK_THAT(error_of([&] { network.trainer.set_learning_rate(1); }), here);
  CHECK(taken.learning_rate() == 0.01);
}

TEST_CASE("errors of files name the file and the line") {
  Network network;
  FitOptions saving = quiet(1);
  saving.checkpoints = Checkpoints{.path = "no/such.ckpt"};
  CHECK_THAT(error_of([&] { network.trainer.fit(clusters(8), saving); }),
             Catch::Contains("no/such.ckpt") && Catch::Contains("(test_training.cpp:"));
  CHECK_THAT(error_of([&] { network.trainer.load("no/such.ckpt"); }),
             Catch::Contains("no/such.ckpt") && Catch::Contains("(test_training.cpp:"));
  CHECK_THAT(error_of([&] { network.trainer.save("no/such.ckpt"); }),
             Catch::Contains("no/such.ckpt") && Catch::Contains("(test_training.cpp:"));
}

TEST_CASE("any number of threads gives the same bits") {
  // Large enough that products, elementwise chains and sums over all rows are split.
  constexpr std::int64_t kBatch = 1024;
  const auto train = [&](int threads) {
    Graph g("wide", {.seed = 5});
    const Tensor x = g.input("x", f32, {dim("batch"), 192});
    const Tensor y = g.input("y", f32, {dim("batch"), 640});
    const Tensor hidden = tanh(nn::linear(x, 640, "fc1"));
    Trainer trainer(
        g,
        {.loss = mse(tanh(nn::linear(hidden, 640, "fc2")), y), .optimizer = Adam{}, .compile = {.threads = threads}});
    Array inputs(f32, {kBatch, 192}), targets(f32, {kBatch, 640});
    for (std::int64_t i = 0; i < inputs.size(); ++i)
      inputs.values<float>()[static_cast<std::size_t>(i)] = std::sin(0.37F * static_cast<float>(i % 10007));
    for (std::int64_t i = 0; i < targets.size(); ++i)
      targets.values<float>()[static_cast<std::size_t>(i)] = std::cos(0.11F * static_cast<float>(i % 9973));
    for (int step = 0; step < 3; ++step) trainer.observe(inputs, targets);
    return trainer;
  };
  const auto parallel_loops = [](Trainer& trainer) {
    const std::string kernels = trainer.program().dump(Stage::kernel);
    std::size_t loops = 0;
    for (std::size_t at = kernels.find("parallel "); at != std::string::npos; at = kernels.find("parallel ", at + 1))
      ++loops;
    return loops;
  };
  // One thread runs other loops than several.
  Trainer one = train(1);
  CHECK(parallel_loops(one) == 0);
  for (int threads : {2, 3}) {
    Trainer several = train(threads);
    CHECK(parallel_loops(several) >= 5);
    check_same_bits(one.state(), several.state());
  }
}

TEST_CASE("a resumed run gives the bits of one that was not interrupted") {
  const std::string path = (std::filesystem::temp_directory_path() / "pullback_test_resume.ckpt").string();
  const data::Dataset dataset = clusters(50);
  Network whole, first, second;
  whole.trainer.fit(dataset, quiet(4));
  first.trainer.fit(dataset, quiet(2));
  first.trainer.save(path);
  second.trainer.load(path);
  FitOptions rest = quiet(4);
  rest.initial_epoch = 2;
  second.trainer.fit(dataset, rest);
  check_same_bits(whole.trainer.state(), second.trainer.state());
  std::filesystem::remove(path);
}

TEST_CASE("a new learning rate compiles nothing") {
  Network network;
  const data::Dataset dataset = clusters(16);
  const auto observe = [&] { network.trainer.observe(dataset.column("x"), dataset.column("y")); };
  observe();
  CHECK(network.trainer.learning_rate() == 0.01);
  network.trainer.set_learning_rate(0);
  const std::vector<double> before = numbers(network.trainer.program().get("fc1.w"));
  observe();
  CHECK(numbers(network.trainer.program().get("fc1.w")) == before);
  CHECK(network.trainer.program().compilations().size() == 1);
}

TEST_CASE("examples are observed one at a time, with or without their batch axis") {
  Network with, without;
  const data::Dataset dataset = clusters(30);
  for (std::int64_t i = 0; i < 30; ++i) {
    const data::Dataset row = dataset.slice(i, i + 1);
    with.trainer.observe(row.column("x"), row.column("y"));
    without.trainer.observe(row.column("x").reshape({6}), row.column("y").reshape({}));
  }
  check_same_bits(with.trainer.state(), without.trainer.state());
  CHECK(with.trainer.program().compilations().size() == 1);
}

TEST_CASE("predictions use what was learned") {
  Network network;
  const data::Dataset dataset = clusters(60);
  network.trainer.fit(dataset, quiet(40));
  Program program = network.g.compile({network.logits});
  const std::vector<Feed> feeds{{network.x, dataset.column("x")}};
  const std::vector<double> logits = numbers(program.step(feeds)[0]);
  CHECK(numbers(network.trainer.predict(network.logits, feeds)) == logits);
  int right = 0;
  for (std::size_t i = 0; i < 60; ++i)
    right += std::max_element(&logits[3 * i], &logits[3 * i] + 3) - &logits[3 * i] == static_cast<int>(i % 3);
  CHECK(right > 54);
}

TEST_CASE("NaN or infinity in the data is an error, and nothing is trained") {
  Network network;
  data::Dataset dataset = clusters(32);
  const data::Dataset good = clusters(32);
  network.trainer.fit(good, quiet(1));
  const std::vector<double> before = numbers(network.trainer.program().get("fc1.w"));
  Array x = dataset.column("x").clone();
  const data::Dataset bad({{"x", x}, {"y", dataset.column("y")}});
  for (const float number : {NAN, INFINITY}) {
    x.values<float>()[100] = number;
    const auto message = Catch::Matches(".*column 'x', row 16, element 4: .* is not finite \\(test_training.cpp:.*");
    CHECK_THAT(error_of([&] { network.trainer.fit(bad, quiet(1)); }), message);
    FitOptions options = quiet(1);
    options.validation = &bad;
    CHECK_THAT(error_of([&] { network.trainer.fit(good, options); }), message);
    CHECK_THAT(error_of([&] { network.trainer.evaluate(bad); }), message);
  }
  CHECK(numbers(network.trainer.program().get("fc1.w")) == before);
}

TEST_CASE("an optimizer of one's own is a rule in the DSL") {
  Optimizer signs;
  signs.name = "signs";
  signs.learning_rate = 0.01;
  signs.update = [](const UpdateInputs& in) {
    return UpdateOutputs{in.parameter - in.learning_rate * sign(in.gradient), {}};
  };
  CHECK(train_xor(signs, {}, 1000) < 0.05);
}

}  // namespace pullback::test
