// Layers that normalize: statistics in training, in evaluation, frozen, shared, saved.
#include <cmath>

#include "tests/frontend/support.h"
#include "tests/runtime/temporary_folder.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Numbers = std::vector<double>;

namespace {

// [4,2]: means 4 and 10, variances with Bessel's correction 20/3 and 80/3.
Array batch() {
  return floats({1, 4, 3, 8, 5, 12, 7, 16}, {4, 2});
}

}  // namespace

TEST_CASE("batch norm: the batch's statistics in training, the running ones elsewhere") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2});
  nn::BatchNorm1d norm(2);
  norm.set_name("norm");
  const Tensor y = norm(x), loss = mean(square(y));
  Trainer trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0}});
  CHECK(trainer.observe(std::vector<Array>{batch()}) == Approx(1).margin(1e-4));
  const Numbers mean = numbers(g.state()->get("norm.running_mean")), var = numbers(g.state()->get("norm.running_var"));
  CHECK(mean[0] == Approx(0.4));
  CHECK(mean[1] == Approx(1));
  CHECK(var[0] == Approx(0.9 + 2.0 / 3));
  CHECK(var[1] == Approx(0.9 + 8.0 / 3));
  const Numbers predicted = numbers(trainer.predict(y, {{x, batch()}}));
  CHECK(predicted[0] == Approx((1 - 0.4) / std::sqrt(0.9 + 2.0 / 3 + 1e-5)));
  CHECK(numbers(g.state()->get("norm.running_mean")) == mean);  // predicting changes nothing

  TemporaryFolder folder;
  const std::string file = folder.file("norm.ckpt");
  trainer.save(file);
  trainer.observe(std::vector<Array>{batch()});
  CHECK(numbers(g.state()->get("norm.running_mean")) != mean);
  trainer.load(file);
  CHECK(numbers(g.state()->get("norm.running_mean")) == mean);
  CHECK(numbers(g.state()->get("norm.running_var")) == var);
  CHECK(norm.named_statistics().size() == 2);
}

TEST_CASE("batch norm in eval mode keeps its statistics in training steps; frozen too it keeps all") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 2}), w = g.parameter("w", {2}, Initializer::constant(1));
  nn::BatchNorm1d norm(2);
  norm.set_name("norm");
  norm.eval();
  norm.freeze();
  const Tensor loss = mean(square(norm(x * w)));
  Trainer trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0.01}});
  CHECK(trainer.observe(std::vector<Array>{batch()}) == Approx((84 + 480) / 8.0).epsilon(1e-4));
  CHECK(numbers(g.state()->get("norm.running_mean")) == Numbers{0, 0});
  CHECK(numbers(g.state()->get("norm.running_var")) == Numbers{1, 1});
  CHECK(numbers(g.state()->get("norm.w")) == Numbers{1, 1});
  CHECK(numbers(g.state()->get("w")) != Numbers{1, 1});
}

TEST_CASE("a batch norm called twice sees both batches; without momentum it averages") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {4, 2}), z = g.input("z", f32, {4, 2});
  nn::BatchNorm1d shared(2), average(2, {.momentum = std::nullopt});
  shared.set_name("shared");
  average.set_name("average");
  const Tensor first = shared(x), second = shared(z), loss = mean(first) + mean(second), other = mean(average(x));
  const Warnings unused;  // each loss leaves the other layer alone
  const std::vector<Feed> both{{x, batch()}, {z, floats({2, 2, 2, 2, 2, 2, 2, 2}, {4, 2})}};
  Trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0}}).observe(both);
  CHECK(numbers(g.state()->get("shared.running_mean"))[0] == Approx(0.9 * 0.4 + 0.2));
  CHECK(g.state()->get("average.batches").values<std::int64_t>()[0] == 0);  // not a part of that loss
  Trainer averaging(g, {.loss = other, .optimizer = SGD{.lr = 0}});
  averaging.observe({both[0]});
  averaging.observe({Feed(x, floats({2, 2, 2, 2, 2, 2, 2, 2}, {4, 2}))});
  CHECK(g.state()->get("average.batches").values<std::int64_t>()[0] == 2);
  CHECK(numbers(g.state()->get("average.running_mean"))[0] == Approx(3));
  CHECK(numbers(g.state()->get("average.running_mean"))[1] == Approx(6));
  CHECK(numbers(g.state()->get("shared.running_mean"))[0] == Approx(0.9 * 0.4 + 0.2));
}

TEST_CASE("normalized axes have mean 0 and variance 1, in f64") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {3, 4, 5});
  nn::LayerNorm layer({4, 5});
  nn::GroupNorm group(2, 4);
  nn::InstanceNorm1d instance;
  nn::RMSNorm rms(5);
  const auto variance = [](const Tensor& y, const Axes& axes) { return max(abs(var(y, axes) - 1.0)); };
  const auto center = [](const Tensor& y, const Axes& axes) { return max(abs(mean(y, axes))); };
  const Tensor a = layer(x), b = reshape(group(x), {3, 2, 10}), c = instance(x), d = rms(x);
  Numbers values;
  for (int i = 0; i < 60; ++i) values.push_back(std::cos(1.3 * i) * 40 + i % 7);
  const Outputs out = g.compile({variance(a, {1, 2}), center(a, {1, 2}), variance(b, 2), center(b, 2), variance(c, 2),
                                 center(c, 2), max(abs(mean(square(d), 2) - 1.0))})
                          .step({{x, Array::from(values, {3, 4, 5})}});
  for (int i = 0; i < 7; ++i) CHECK(out[i].item() < 1e-4);
}

}  // namespace pullback::test
