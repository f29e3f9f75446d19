// Normalization: statistics by hand, running statistics over steps, gradients by differences.
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

using Catch::Matchers::Contains;

namespace {

const Argument kBatch{{2, 2, 2}, {1, 2, 3, 5, 3, 6, -1, 1}};  // channel 0: 1 2 3 6, channel 1: 3 5 -1 1

}  // namespace

TEST_CASE("batch normalization while training") {
  const double eps = 1e-5;
  const Outcome y = differentiate({kBatch, vector({2, 1}), vector({0.5, -1})},
                                  [](const auto& x) { return batch_norm_training(x[0], {}, {}, x[1], x[2]).output; });
  const double s0 = 2 / std::sqrt(3.5 + eps), s1 = 1 / std::sqrt(5 + eps);
  check_close(y.value, {-2 * s0 + 0.5, -1 * s0 + 0.5, 1 * s1 - 1, 3 * s1 - 1, 0 * s0 + 0.5, 3 * s0 + 0.5, -3 * s1 - 1,
                        -1 * s1 - 1});
  const auto statistic = [](bool var) {
    return [var](const std::vector<Tensor>& x) {
      const BatchNormResult result = batch_norm_training(x[0], x[1], x[2], {}, {}, 0.25);
      return var ? result.running_var : result.running_mean;
    };
  };
  const std::vector<Argument> running{kBatch, vector({1, 2}), vector({4, 8})};
  check_close(differentiate(running, statistic(false)).value, {0.75 * 1 + 0.25 * 3, 0.75 * 2 + 0.25 * 2});
  check_close(differentiate(running, statistic(true)).value,
              {0.75 * 4 + 0.25 * 3.5 * 4 / 3, 0.75 * 8 + 0.25 * 5.0 * 4 / 3});
  check_gradients({kBatch, vector({2, 1}), vector({0.5, -1}), {{2, 2, 2}, {1, 0, 2, -1, 0.5, 3, 1, 1}}},
                  [](const auto& x) { return batch_norm_training(x[0], {}, {}, x[1], x[2]).output * x[3]; });
}

TEST_CASE("batch normalization keeps its statistics in the state") {
  for (const bool average : {false, true}) {
    Graph g("g");
    const Tensor x = g.input("x", f32, {dim("batch"), 1}), w = g.parameter("w", {1}, Initializer::constant(1));
    const Tensor mean_variable = g.variable("mean", {1}),
                 var_variable = g.variable("var", {1}, Initializer::constant(1));
    BatchNormOptions options{.momentum = 0.5, .eps = 0};
    if (average) options = {.momentum = std::nullopt, .eps = 0, .batches = g.variable("batches", {}, {}, i64)};
    const Tensor y = batch_norm(x, mean_variable, var_variable, w, {}, options);
    Trainer trainer(g, {.loss = sum(y), .optimizer = SGD{.lr = 0}});
    trainer.observe({{x, floats({1, 3}, {2, 1})}});
    trainer.observe({{x, floats({0, 12}, {2, 1})}});
    // Batch means 2 and 6, unbiased variances 2 and 72.
    CHECK(g.state()->get("mean").values<float>()[0] == Approx(average ? 4 : 0.5 * (0.5 * 2) + 0.5 * 6));
    const double var = average ? 37 : 0.5 * (0.5 * 1 + 0.5 * 2) + 0.5 * 72;
    CHECK(g.state()->get("var").values<float>()[0] == Approx(var));
    const double mean = average ? 4 : 3.5;
    CHECK(values(g, y, {{x, floats({10}, {1, 1})}})[0] == Approx((10 - mean) / std::sqrt(var)));
  }
}

TEST_CASE("normalization of layers, groups, instances") {
  const Argument x{{1, 4, 2}, {1, 3, 5, 7, 2, 2, 0, 8}};
  const auto run = [&](const std::function<Tensor(const Tensor&)>& f) {
    return differentiate({x}, [&](const auto& v) { return f(v[0]); }).value;
  };
  const double one = 1 / std::sqrt(1 + 1e-5), five = 1 / std::sqrt(5 + 1e-5);
  check_close(run([](const Tensor& v) { return layer_norm(v, {2}); }),
              {-one, one, -one, one, 0, 0, -4 / std::sqrt(16 + 1e-5), 4 / std::sqrt(16 + 1e-5)});
  check_close(run([](const Tensor& v) { return narrow(group_norm(v, 2), 1, 0, 2); }),
              {-3 * five, -1 * five, 1 * five, 3 * five});
  check_close(run([](const Tensor& v) { return instance_norm(v); }),
              run([](const Tensor& v) { return layer_norm(v, {2}); }));
  check_close(run([](const Tensor& v) { return narrow(rms_norm(v, {2}, {}, 0.0), 1, 0, 1); }),
              {1 / std::sqrt(5), 3 / std::sqrt(5)});
  const Argument scale{{4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}}, shift{{4, 2}, {0, 1, 0, 1, 0, 1, 0, 1}};
  check_gradients({x, scale, shift}, [](const auto& v) {
    return square(layer_norm(v[0], {4, 2}, v[1], v[2])) + rms_norm(v[0], {4, 2}, v[1]);
  });
  check_gradients({x, vector({1, 2, 3, 4}), vector({1, 0, 1, 0})},
                  [](const auto& v) { return square(group_norm(v[0], 2, v[1], v[2]) + instance_norm(v[0], v[1])); });
}

TEST_CASE("local response normalization sums over neighbouring channels") {
  const Argument x{{1, 5}, {1, 2, 3, 4, 5}};
  for (const std::int64_t size : {1, 2, 3, 5, 7}) {
    Numbers expected;
    for (std::int64_t c = 0; c < 5; ++c) {
      double total = 0;
      for (std::int64_t i = c - size / 2; i <= c + (size - 1) / 2; ++i)
        if (i >= 0 && i < 5) total += static_cast<double>((i + 1) * (i + 1));
      expected.push_back(static_cast<double>(c + 1) / std::pow(2 + 0.5 * total / static_cast<double>(size), 0.75));
    }
    INFO("size " << size);
    check_close(differentiate({x}, [&](const auto& v) { return local_response_norm(v[0], size, 0.5, 0.75, 2); }).value,
                expected);
  }
  check_gradients({x}, [](const auto& v) { return local_response_norm(v[0], 3, 0.5); });
}

TEST_CASE("normalization rejects what does not fit") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {4, 6, 8}), c = g.input("c", f32, {5}), row = g.input("row", f32, {1, 6});
  CHECK_THAT(error_of([&] { group_norm(x, 4); }),
             Contains("group_norm: x is f32[4,6,8]: 6 channels don't make 4 groups"));
  CHECK_THAT(error_of([&] { layer_norm(x, {6}); }), Contains("layer_norm: x is f32[4,6,8]: its last axes are not [6]"));
  CHECK_THAT(error_of([&] { batch_norm(x, c, c); }),
             Contains("batch_norm: running_mean is f32[5], but f32[6] is needed for x f32[4,6,8]"));
  CHECK_THAT(error_of([&] { batch_norm(x, {}, {}, c); }), Contains("weight is f32[5]"));
  CHECK_THAT(error_of([&] { batch_norm_training(row, {}, {}); }), Contains("the variance of one value per channel"));
  CHECK_THAT(error_of([&] { instance_norm(row); }), Contains("instance_norm: x is f32[1,6]: [N,C,L,...] is needed"));
  CHECK_THAT(error_of([&] { local_response_norm(x, 0); }), Contains("a window of 0 channels is empty"));
}

}  // namespace pullback::test
