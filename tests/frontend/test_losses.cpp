// Losses: values worked out by hand, gradients by differences, options, and what is said about mistakes.
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

using Catch::Matchers::Contains;

namespace {

double softplus_of(double x) {
  return std::log1p(std::exp(x));
}

}  // namespace

TEST_CASE("distances reduce as asked") {
  const std::vector<Argument> pair{{{2, 2}, {1, 2, 3, 7}}, {{2, 2}, {1, 4, 2.5, 4}}};
  const auto value = [&](const std::function<Tensor(const std::vector<Tensor>&)>& loss) {
    return differentiate(pair, loss).value;
  };
  check_close(value([](const auto& x) { return mse(x[0], x[1]); }), {13.25 / 4});
  check_close(value([](const auto& x) { return mse(x[0], x[1], Reduction::sum); }), {13.25});
  check_close(value([](const auto& x) { return mse(x[0], x[1], Reduction::batch_mean); }), {13.25 / 2});
  check_close(value([](const auto& x) { return l1(x[0], x[1], Reduction::none); }), {0, 2, 0.5, 3});
  check_close(value([](const auto& x) { return smooth_l1(x[0], x[1], 2, Reduction::none); }), {0, 1, 0.0625, 2});
  check_close(value([](const auto& x) { return smooth_l1(x[0], x[1], 0, Reduction::none); }), {0, 2, 0.5, 3});
  check_close(value([](const auto& x) { return huber(x[0], x[1], 2, Reduction::none); }), {0, 2, 0.125, 4});
  check_gradients(pair, [](const auto& x) { return smooth_l1(x[0], x[1], 1, Reduction::sum) + huber(x[0], x[1], 2); });
}

TEST_CASE("cross entropy weighs, ignores and smooths") {
  const std::vector<Argument> logits{{{2, 3}, {1, 2, 0.5, 0, -1, 3}}};
  const auto log_probability = [&](std::size_t row, std::size_t c) {
    const Numbers& x = logits[0].numbers;
    double total = 0;
    for (std::size_t i = 0; i < 3; ++i) total += std::exp(x[3 * row + i]);
    return x[3 * row + c] - std::log(total);
  };
  const auto value = [&](const std::vector<std::int32_t>& labels, const CrossEntropyOptions& options) {
    Graph g("g");
    const Tensor x = g.input("x", f64, {2, 3}), y = g.input("y", i32, {2});
    const Array numbers_of_x = Array::from(logits[0].numbers, {2, 3});
    return numbers(g.compile({cross_entropy(x, y, options)}).step({{x, numbers_of_x}, {y, ints(labels, {2})}})[0]);
  };
  const double a = -log_probability(0, 1), b = -log_probability(1, 2);
  check_close(value({1, 2}, {}), {(a + b) / 2});
  check_close(value({1, 2}, {.reduction = Reduction::none}), {a, b});
  check_close(value({1, -100}, {}), {a});
  check_close(value({7, 2}, {.reduction = Reduction::sum, .ignore_index = 7}), {b});
  const double everything = -(log_probability(0, 0) + log_probability(0, 1) + log_probability(0, 2));
  check_close(value({1, -100}, {.label_smoothing = 0.3}), {0.7 * a + 0.1 * everything});
  const std::string message = error_of([&] { value({1, 3}, {}); });
  CHECK_THAT(message, Contains("cross_entropy: labels y lie in 1..3, but there are 3 classes, 0..2"));
}

TEST_CASE("cross entropy with class weights, class axis 1 and probabilities") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 3, 2}), y = g.input("y", i64, {2, 2}), w = g.input("w", f64, {3});
  const Tensor p = g.input("p", f64, {2, 3, 2});
  const Array logits = Array::from(Numbers{1, 2, 3, 0, -1, 1, 0.5, 2, 1, 1, 0, -2}, {2, 3, 2});
  const Array labels = Array::from(std::vector<std::int64_t>{0, 2, 1, 1}, {2, 2});
  const Array weights = Array::from(Numbers{1, 2, 0.5}, {3});
  const Array hot = Array::from(Numbers{1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0}, {2, 3, 2});
  const Tensor moved = permute(x, {0, 2, 1});
  const Tensor own = sum(log_softmax(moved) * permute(p, {0, 2, 1}), -1);  // [2,2]
  const Tensor weight_of = take(w, y);
  const std::vector<Tensor> outputs{
      cross_entropy(x, y, {.class_axis = 1}),
      mean(-own),
      cross_entropy(x, y, {.weight = w, .class_axis = 1}),
      sum(-own * weight_of) / sum(weight_of),
      nll(log_softmax(x, 1), y, {.weight = w, .class_axis = 1}),
      cross_entropy(moved, y, {.weight = w, .label_smoothing = 0.25}),
      0.75 * (sum(-own * weight_of) / sum(weight_of)) + 0.25 / 3 * (sum(-log_softmax(moved) * w) / sum(weight_of)),
      cross_entropy(x, p, {.class_axis = 1}),
      cross_entropy(x, p, {.weight = w, .label_smoothing = 0.25, .class_axis = 1}),
      mean(-sum(log_softmax(moved) * (0.75 * permute(p, {0, 2, 1}) + 0.25 / 3) * w, -1)),
  };
  const Outputs found = g.compile(outputs).step({{x, logits}, {y, labels}, {w, weights}, {p, hot}});
  const auto at = [&](std::size_t i) { return found[i].item(); };
  CHECK(at(0) == Approx(at(1)));
  CHECK(at(2) == Approx(at(3)));
  CHECK(at(4) == Approx(at(3)));
  CHECK(at(5) == Approx(at(6)));
  CHECK(at(7) == Approx(at(1)));
  CHECK(at(8) == Approx(at(9)));
}

TEST_CASE("binary cross entropy stays finite at 0 and 1") {
  const Outcome edges = differentiate({vector({0, 1, 0, 0.5}), vector({1, 1, 0, 0.25})},
                                      [](const auto& x) { return bce(x[0], x[1], Reduction::none); });
  check_close(edges.value, {100, 0, 0, std::log(2.0)});
  check_close(edges.gradients[0], {-1 / double{1e-12F}, 0, 0, 1});
  check_gradients({vector({0.3, 0.9}), vector({0.5, 0.2})}, [](const auto& x) { return bce(x[0], x[1]); });
  const Outcome logits = differentiate({vector({0, 1000, -1000, 2}), vector({0.5, 1, 1, 0})},
                                       [](const auto& x) { return bce_with_logits(x[0], x[1], Reduction::none); });
  check_close(logits.value, {std::log(2.0), 0, 1000, softplus_of(2)});
  check_close(logits.gradients[0], {0, 0, -1, 1 / (1 + std::exp(-2.0))});
  const Outcome positive = differentiate({vector({1, -1}), vector({1, 0.5}), vector({3, 2})}, [](const auto& x) {
    return bce_with_logits(x[0], x[1], {.reduction = Reduction::none, .pos_weight = x[2]});
  });
  check_close(positive.value, {3 * softplus_of(-1), 0.5 * 2 * softplus_of(1) + 0.5 * softplus_of(-1)});
  check_close(differentiate({vector({0.5, 0.5}), vector({1, 0}), vector({2, 4})},
                            [](const auto& x) { return bce(x[0], x[1], Reduction::sum, x[2]); })
                  .value,
              {6 * std::log(2.0)});
}

TEST_CASE("likelihoods of distributions") {
  const double half = std::log(0.5);
  const std::vector<Argument> pair{{{2, 2}, {half, half, half, half}}, {{2, 2}, {0, 1, 0.5, 0.5}}};
  const auto divergence = [](Reduction reduction) {
    return [reduction](const std::vector<Tensor>& x) { return kl_div(x[0], x[1], {.reduction = reduction}); };
  };
  check_close(differentiate(pair, divergence(Reduction::batch_mean)).value, {std::log(2.0) / 2});
  check_close(differentiate(pair, divergence(Reduction::sum)).gradients[0], {0, -1, -0.5, -0.5});
  check_close(differentiate({vector({half}), vector({std::log(0.25)})},
                            [](const auto& x) { return kl_div(x[0], x[1], {.log_target = true}); })
                  .value,
              {0.25 * half});
  const Outcome gaussian = differentiate(
      {{{2, 2}, {1, 2, 3, 4}}, {{2, 2}, {0, 2, 1, 4}}, {{2}, {4, 1e-9}}},
      [](const auto& x) { return gaussian_nll(x[0], x[1], x[2], {.reduction = Reduction::none, .full = true}); });
  const double full = 0.5 * std::log(2 * 3.14159265358979323846);
  check_close(gaussian.value, {0.5 * (std::log(4.0) + 0.25) + full, 0.5 * std::log(4.0) + full,
                               0.5 * (std::log(1e-6) + 4e6) + full, 0.5 * std::log(1e-6) + full});
  CHECK_THAT(error_of([] {
               differentiate({vector({1}), vector({1}), vector({-2})},
                             [](const auto& x) { return gaussian_nll(x[0], x[1], x[2]); });
             }),
             Contains("gaussian_nll: a variance is -2: none may be negative"));
  const Outcome poisson = differentiate({vector({1, 2}), vector({0.5, 3})}, [](const auto& x) {
    return poisson_nll(x[0], x[1], {.reduction = Reduction::none, .full = true});
  });
  const double stirling = 3 * std::log(3.0) - 3 + 0.5 * std::log(6 * 3.14159265358979323846);
  check_close(poisson.value, {std::exp(1.0) - 0.5, std::exp(2.0) - 6 + stirling});
  check_close(differentiate({vector({2}), vector({3})},
                            [](const auto& x) { return poisson_nll(x[0], x[1], {.log_input = false, .eps = 0}); })
                  .value,
              {2 - 3 * std::log(2.0)});
}

TEST_CASE("losses with margins") {
  const std::vector<Argument> signs{vector({2, 0.5, -1, 1}), vector({1, 1, 1, -1})};
  const Outcome hinges = differentiate(signs, [](const auto& x) { return hinge(x[0], x[1], Reduction::none); });
  check_close(hinges.value, {0, 0.5, 2, 2});
  check_close(hinges.gradients[0], {0, -1, -1, 1});
  check_close(differentiate(signs, [](const auto& x) { return soft_margin(x[0], x[1], Reduction::none); }).value,
              {softplus_of(-2), softplus_of(-0.5), softplus_of(1), softplus_of(1)});
  check_close(differentiate(signs, [](const auto& x) { return hinge_embedding(x[0], x[1], 3, Reduction::none); }).value,
              {2, 0.5, -1, 2});
  check_close(differentiate({vector({1, 2}), vector({2, 1}), vector({1, 1})},
                            [](const auto& x) { return margin_ranking(x[0], x[1], x[2], 0.5, Reduction::none); })
                  .value,
              {1.5, 0});
  const Outcome cosine =
      differentiate({{{2, 2}, {3, 4, 1, 0}}, {{2, 2}, {4, 3, 2, 0}}, vector({1, -1})},
                    [](const auto& x) { return cosine_embedding(x[0], x[1], x[2], 0.25, Reduction::none); });
  check_close(cosine.value, {0.04, 0.75}, 1e-9);
  check_close(differentiate({{{1, 2}, {1, -1}}, {{1, 2}, {1, 0}}, vector({1, 3})},
                            [](const auto& x) { return multilabel_soft_margin(x[0], x[1], Reduction::sum, x[2]); })
                  .value,
              {2 * softplus_of(-1)});
  const std::vector<Argument> triple{{{1, 2}, {0, 0}}, {{1, 2}, {3, 4}}, {{1, 2}, {0, 2}}};
  check_close(differentiate(triple, [](const auto& x) { return triplet_margin(x[0], x[1], x[2], {.eps = 0}); }).value,
              {1 + 5 - 2});
  check_close(differentiate(triple,
                            [](const auto& x) {
                              return triplet_margin(x[0], x[2], x[1], {.margin = 4, .p = 1, .eps = 0, .swap = true});
                            })
                  .value,
              {4 + 2 - 5});
  check_gradients(triple, [](const auto& x) { return triplet_margin(x[0], x[1], x[2], {.p = 3}); });
}

TEST_CASE("multi-class margins") {
  const auto loss = [](const MultiMarginOptions& options, bool weighted) {
    Graph g("g");
    const Tensor x = g.input("x", f64, {2, 3}), y = g.input("y", i32, {2}), w = g.input("w", f64, {3});
    MultiMarginOptions all = options;
    if (weighted) all.weight = w;
    std::vector<Feed> feeds{{x, Array::from(Numbers{1, 2, 0, 0, 0.5, 3}, {2, 3})}, {y, ints({0, 2}, {2})}};
    if (weighted) feeds.push_back({w, Array::from(Numbers{2, 1, 1}, {3})});
    return numbers(g.compile({multi_margin(x, y, all)}).step(feeds)[0]);
  };
  check_close(loss({.reduction = Reduction::none}, false), {2.0 / 3, 0});
  check_close(loss({.reduction = Reduction::none, .p = 2}, true), {8.0 / 3, 0});
  check_close(loss({.margin = 3}, false), {(4 + 2 + 0.5) / 3 / 2});
}

TEST_CASE("a label out of range is named where classes are a symbol, too") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), dim("classes")}), y = g.input("y", i32, {dim("batch")});
  Program program = g.compile({cross_entropy(x, y)});
  const std::vector<Feed> wrong{{x, floats({1, 2, 3, 4}, {2, 2})}, {y, ints({0, 2}, {2})}};
  CHECK_THAT(error_of([&] { program.step(wrong); }), Contains("lie in 0..2, but there are 2 classes"));
}

TEST_CASE("losses reject what does not fit") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {4, 3}), y = g.input("y", i32, {4}), z = g.input("z", f32, {4});
  CHECK_THAT(error_of([&] { cross_entropy(x, y, {.label_smoothing = 2}); }), Contains("label_smoothing is 2"));
  CHECK_THAT(error_of([&] { cross_entropy(x, y, {.weight = z}); }),
             Contains("cross_entropy: the weight is f32[4], but f32[3] is needed, one for each class"));
  CHECK_THAT(error_of([&] { cross_entropy(x, y, {.class_axis = 0}); }),
             Contains("the labels' shape must be the logits' without axis 0"));
  CHECK_THAT(error_of([&] { huber(x, x, 0); }), Contains("huber: delta is 0: it must be positive"));
  CHECK_THAT(error_of([&] { bce(z, z, Reduction::mean, g.constant(1, {2, 4})); }),
             Contains("bce: the weight is f32[2,4], the losses are f32[4]"));
  CHECK_THAT(error_of([&] { multi_margin(x, y, {.p = 3}); }), Contains("p is 3: 1 and 2 are possible"));
  CHECK_THAT(error_of([&] { hinge(x, z); }), Contains("hinge: the prediction is f32[4,3], the target f32[4]"));
}

TEST_CASE("a signed difference as a loss is warned of") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 3}), y = g.input("y", f32, {dim("batch"), 1});
  const Tensor w = g.parameter("w", {3, 3}), v = g.parameter("v", {3, 1});
  const Tensor prediction = matmul(relu(matmul(x, w)), v);
  const auto warnings_of = [&](const Tensor& loss) {
    Warnings warnings;
    g.gradient(loss, {w, v});
    return warnings.messages;
  };
  for (const Tensor& loss : {mean(prediction - y), sum(y - prediction), 2.0 * mean(-(prediction - y))}) {
    const std::vector<std::string> messages = warnings_of(loss);
    REQUIRE(messages.size() == 1);
    CHECK_THAT(messages[0],
               Contains("the loss is a signed difference") && Contains("(test_losses.cpp:") && Contains("mse()"));
  }
  CHECK(warnings_of(mse(prediction, y)).empty());
  CHECK(warnings_of(l1(prediction, y)).empty());
  CHECK(warnings_of(mean(square(prediction - y))).empty());
  CHECK(warnings_of(mean(sigmoid(prediction) - y)).empty());  // bounded
  CHECK(warnings_of(mean(prediction - y) + sum(square(w)) + sum(square(v))).empty());

  Warnings warnings;
  Trainer trainer(g, {.loss = mean(prediction - y), .optimizer = SGD{.lr = 0.1}});
  REQUIRE(warnings.messages.size() == 1);
  CHECK_THAT(warnings.messages[0], Contains("Trainer: the loss is a signed difference"));
}

}  // namespace pullback::test
