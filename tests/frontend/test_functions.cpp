// Functions of the DSL: their shapes and their numbers, by the reference evaluator and by compiled code.
#include <cmath>

#include "tests/frontend/support.h"

namespace pullback::test {

using Numbers = std::vector<double>;

TEST_CASE("operands broadcast and numbers take the tensor's dtype") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 3}), row = g.input("row", f32, {3}), n = g.input("n", i32, {2});
  const std::vector<Feed> feeds{{x, floats({1, 2, 3, 4, 5, 6}, {2, 3})}, {row, floats({10, 20, 30}, {3})}};
  CHECK(values(g, x + row, feeds) == Numbers{11, 22, 33, 14, 25, 36});
  CHECK(values(g, 2.0 * x - 1, {feeds[0]}) == Numbers{1, 3, 5, 7, 9, 11});
  CHECK((2 * x).dtype() == f32);
  CHECK(values(g, n / 2, {{n, ints({7, -7}, {2})}}) == Numbers{3, -3});
  CHECK(values(g, n % 4, {{n, ints({7, -7}, {2})}}) == Numbers{3, -3});
  CHECK(values(g, -x > -3.0, {feeds[0]}) == Numbers{1, 1, 0, 0, 0, 0});
  CHECK((x + unsqueeze(row, 0)).shape() == Shape{2, 3});
  CHECK((unsqueeze(row, 1) + row).shape() == Shape{3, 3});
}

TEST_CASE("where chooses and clamp bounds") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {4});
  const std::vector<Feed> feeds{{x, floats({-2, -0.5, 0.5, 2}, {4})}};
  CHECK(values(g, where(x > 0, x, 0.0), feeds) == Numbers{0, 0, 0.5, 2});
  CHECK(values(g, where(x > 0, 1, 0), feeds) == Numbers{0, 0, 1, 1});
  CHECK(values(g, clamp(x, -1, 1), feeds) == Numbers{-1, -0.5, 0.5, 1});
  CHECK(values(g, maximum(x, 0.0), feeds) == Numbers{0, 0, 0.5, 2});
}

TEST_CASE("shapes are rearranged") {
  Graph g("g");
  const Dim batch = dim("batch");
  const Tensor image = g.input("image", f32, {batch, 3, 4, 5});
  CHECK(flatten(image).shape() == Shape{batch, 60});
  CHECK(reshape(image, {batch, -1, 10}).shape() == Shape{batch, 6, 10});
  CHECK(reshape(image, {-1, 60}).shape() == Shape{batch, 60});
  CHECK(transpose(image).shape() == Shape{batch, 3, 5, 4});
  CHECK(permute(image, {0, 2, 3, 1}).shape() == Shape{batch, 4, 5, 3});
  CHECK(unsqueeze(image, -1).shape() == Shape{batch, 3, 4, 5, 1});
  CHECK(squeeze(unsqueeze(image, 1)).shape() == image.shape());
  CHECK(expand(g.constant(1, {5}), {2, -1}).shape() == Shape{2, 5});

  const Tensor x = g.input("x", f32, {2, 3});
  const std::vector<Feed> feeds{{x, floats({1, 2, 3, 4, 5, 6}, {2, 3})}};
  CHECK(values(g, transpose(x), feeds) == Numbers{1, 4, 2, 5, 3, 6});
  CHECK(values(g, slice(x, {{}, {0, std::nullopt, 2}}), feeds) == Numbers{1, 3, 4, 6});
  CHECK(values(g, slice(x, {{-1}}), feeds) == Numbers{4, 5, 6});
  CHECK(values(g, narrow(x, 1, 1, 2), feeds) == Numbers{2, 3, 5, 6});
  CHECK(values(g, concat({x, x}, 1), feeds) == Numbers{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6});
  CHECK(stack({x, x}).shape() == Shape{2, 2, 3});
  CHECK(stack({x, x}, -1).shape() == Shape{2, 3, 2});
  CHECK(values(g, pad(x, {{0, 0}, {1, 0}}, 9), feeds) == Numbers{9, 1, 2, 3, 9, 4, 5, 6});
  CHECK(values(g, flip(x, 1), feeds) == Numbers{3, 2, 1, 6, 5, 4});
}

TEST_CASE("reductions go over any axes") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 3});
  const std::vector<Feed> feeds{{x, floats({1, 2, 3, 4, 5, 6}, {2, 3})}};
  CHECK(values(g, sum(x), feeds) == Numbers{21});
  CHECK(values(g, sum(x, 0), feeds) == Numbers{5, 7, 9});
  CHECK(values(g, mean(x, -1), feeds) == Numbers{2, 5});
  CHECK(sum(x, -1, true).shape() == Shape{2, 1});
  CHECK(values(g, prod(x, 1), feeds) == Numbers{6, 120});
  CHECK(values(g, max(x, {0, 1}), feeds) == Numbers{6});
  CHECK(values(g, argmax(x), feeds) == Numbers{2, 2});
  CHECK(argmin(x, 0, true).shape() == Shape{1, 3});
  CHECK(values(g, var(x, 1, false, 1), feeds) == Numbers{1, 1});
  CHECK(values(g, logsumexp(x + 1000.0, 1), feeds)[0] == Approx(1003.40760596));
}

TEST_CASE("a mean over a symbolic size divides by the size that is bound") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch")});
  for (const CompileOptions& options : executors()) {
    Program program = g.compile({mean(x)}, options);
    CHECK(program.step({{x, floats({1, 2, 3}, {3})}})[0].item() == 2);
    CHECK(program.step({{x, floats({1, 2}, {2})}})[0].item() == 1.5);
    CHECK(program.compilations() == std::vector<std::string>{"batch = 3", "batch = 2"});
  }
}

TEST_CASE("stable forms don't overflow") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {3});
  const std::vector<Feed> feeds{{x, floats({-1000, 0, 1000}, {3})}};
  CHECK(values(g, softmax(x), feeds) == Numbers{0, 0, 1});
  CHECK(values(g, log_softmax(x), feeds) == Numbers{-2000, -1000, 0});
  CHECK(values(g, softplus(x), feeds)[2] == 1000);
  CHECK(values(g, sigmoid(x), feeds) == Numbers{0, 0.5, 1});
  CHECK(values(g, relu(x), feeds) == Numbers{0, 0, 1000});
}

TEST_CASE("matmul follows the rank rules") {
  Graph g("g");
  const Dim batch = dim("batch");
  auto tensor = [&, n = 0](Shape shape) mutable { return g.input("t" + std::to_string(n++), f32, shape); };
  struct Rule {
    Shape a, b, result;
  };
  const std::vector<Rule> rules{
      {{3}, {3}, {}},
      {{2, 3}, {3}, {2}},
      {{3}, {3, 4}, {4}},
      {{batch, 3}, {3, 4}, {batch, 4}},
      {{7, 2, 3}, {3, 4}, {7, 2, 4}},
      {{7, 2, 3}, {7, 3, 4}, {7, 2, 4}},
      {{3}, {7, 3, 4}, {7, 4}},
      {{5, 1, 2, 3}, {7, 3, 4}, {5, 7, 2, 4}},
  };
  for (const Rule& rule : rules) {
    const Tensor a = tensor(rule.a), b = tensor(rule.b);
    CHECK(to_string(matmul(a, b).shape()) == to_string(rule.result));
  }
  const Tensor a = g.input("a", f32, {2, 2}), b = g.input("b", f32, {2, 2});
  CHECK(values(g, matmul(a, b), {{a, floats({1, 2, 3, 4}, {2, 2})}, {b, floats({5, 6, 7, 8}, {2, 2})}}) ==
        Numbers{19, 22, 43, 50});
}

TEST_CASE("elements are taken by index") {
  Graph g("g");
  const Tensor table = g.input("table", f32, {3, 2}), ids = g.input("ids", i32, {2});
  const std::vector<Feed> feeds{{table, floats({1, 2, 3, 4, 5, 6}, {3, 2})}, {ids, ints({2, 0}, {2})}};
  CHECK(values(g, embedding(table, ids), feeds) == Numbers{5, 6, 1, 2});
  CHECK(take(table, ids, 0).shape() == Shape{2, 2});
  CHECK(values(g, one_hot(ids, 3), {feeds[1]}) == Numbers{0, 0, 1, 1, 0, 0});
  const Tensor which = g.input("which", i32, {3, 1});
  CHECK(values(g, take_along(table, which, 1), {feeds[0], {which, ints({1, 0, 1}, {3, 1})}}) == Numbers{2, 3, 6});
}

TEST_CASE("branches capture what they use") {
  Graph g("g");
  const Tensor p = g.input("p", boolean, {}), x = g.input("x", f32, {2}), y = g.input("y", f32, {2});
  const Tensor z = cond(p, [&] { return x * y; }, [&] { return y - x; });
  const auto feeds = [&](bool flag) {
    return std::vector<Feed>{{p, Array::scalar(flag)}, {x, floats({1, 2}, {2})}, {y, floats({5, 7}, {2})}};
  };
  CHECK(values(g, z, feeds(true)) == Numbers{5, 14});
  CHECK(values(g, z, feeds(false)) == Numbers{4, 5});
  const Tensor inner_or_x =
      cond(p, [&] { return cond(p, [&] { return x; }, [&] { return y; }) + 1.0; }, [&] { return x; });
  const std::vector<Feed> all = feeds(true), other = feeds(false);
  CHECK(values(g, inner_or_x, all) == Numbers{2, 3});
  CHECK(values(g, inner_or_x, other) == Numbers{1, 2});
}

TEST_CASE("the gradient of a branch is that of the branch taken") {
  Graph g("g");
  const Tensor p = g.input("p", boolean, {}), x = g.input("x", f64, {3}), y = g.input("y", f64, {3});
  const Tensor z = cond(p, [&] { return x * y; }, [&] { return sin(x); });
  const Function gradient = g.gradient(sum(z), {x, y});
  const auto at = [](double a, double b, double c) { return Array::from(std::vector<double>{a, b, c}, {3}); };
  for (const CompileOptions& options : executors()) {
    Program program = gradient.compile(options);
    Outputs taken = program.step({{p, Array::scalar(true)}, {x, at(1, 2, 3)}, {y, at(5, 6, 7)}});
    CHECK(numbers(taken[0]) == Numbers{5, 6, 7});
    CHECK(numbers(taken[1]) == Numbers{1, 2, 3});
    Outputs other = program.step({{p, Array::scalar(false)}, {x, at(0, 0.5, 3)}, {y, at(5, 6, 7)}});
    const double slopes[] = {1, std::cos(0.5), std::cos(3)};
    for (std::size_t i = 0; i < 3; ++i) CHECK(numbers(other[0])[i] == Approx(slopes[i]).epsilon(1e-15));
    CHECK(numbers(other[1]) == Numbers{0, 0, 0});
  }
}

TEST_CASE("a custom gradient replaces the derived one") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2});
  const auto rounded = [](const std::vector<Tensor>& a) { return std::vector{round_even(a[0])}; };
  const auto straight_through = [](const std::vector<Tensor>& a) { return std::vector{a[2]}; };
  const Tensor y = custom_gradient("round", {x}, rounded, straight_through).front();
  const Function gradient = g.gradient(sum(y * y), {x});
  for (const CompileOptions& options : executors())
    CHECK(numbers(gradient.compile(options).step({{x, floats({1.4F, 2.6F}, {2})}})[0]) == Numbers{2, 6});
}

TEST_CASE("a composite means its body") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2}), scale = g.input("scale", f32, {});
  const Tensor y =
      composite("scaled", {x}, [&](const std::vector<Tensor>& a) { return std::vector{a[0] * scale}; }).front();
  const std::vector<Feed> feeds{{x, floats({1, 2}, {2})}, {scale, Array::scalar(3.0F)}};
  CHECK(values(g, y, feeds) == Numbers{3, 6});
  for (const CompileOptions& options : executors())
    CHECK(numbers(g.gradient(sum(y), {scale}).compile(options).step(feeds)[0]) == Numbers{3});
}

TEST_CASE("random numbers are new each step and reproducible") {
  struct Draws {
    Numbers flat, bell, wide;
  };
  const auto draw = [](std::uint64_t seed, int steps, const CompileOptions& options) {
    Graph g("g", {.seed = seed});
    Program program = g.compile({uniform(g, {1001}), normal(g, {1001}), cast(normal(g, {7}), f64)}, options);
    Outputs last;
    for (int i = 0; i < steps; ++i) last = program.step();
    return Draws{numbers(last[0]), numbers(last[1]), numbers(last[2])};
  };
  for (const CompileOptions& options : executors()) {
    const Draws first = draw(1, 1, options), again = draw(1, 1, options);
    CHECK(first.flat == again.flat);
    CHECK(first.bell == again.bell);
    CHECK(first.flat != draw(1, 2, options).flat);
    CHECK(first.bell != draw(2, 1, options).bell);
  }
  const Draws expected = draw(3, 1, reference()), compiled = draw(3, 1, {});
  CHECK(compiled.flat == expected.flat);  // bits, scaled: nothing is rounded
  double average = 0, square = 0;
  for (double u : compiled.flat) average += (u >= 0 && u < 1 ? u : 1e9) / 1001;
  for (double n : compiled.bell) square += n * n / 1001;
  CHECK(average == Approx(0.5).margin(0.05));
  CHECK(square == Approx(1).margin(0.15));
  // A logarithm, a root and a cosine, each within 2 ulp of numbers below 8.
  for (std::size_t i = 0; i < expected.bell.size(); ++i)
    CHECK(std::abs(compiled.bell[i] - expected.bell[i]) <= 8 * 8 * 0x1p-23);
}

TEST_CASE("dropout acts in training only") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {100});
  const Array ones = floats(std::vector<float>(100, 1), {100});
  CHECK(values(g, dropout(x, 0.5), {{x, ones}}) == Numbers(100, 1));
  const Tensor w = g.parameter("w", {}, Initializer::constant(1));
  const Tensor loss = mean(dropout(x, 0.5)) * w;
  Numbers losses;
  for (const CompileOptions& options : executors()) {
    g.state()->set("rng.step", Array::scalar(std::int64_t{0}));
    Trainer trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0}, .compile = options});
    const double first = trainer.observe(std::vector{ones}), second = trainer.observe(std::vector{ones});
    CHECK(first != 1);
    CHECK(first != second);
    losses.insert(losses.end(), {first, second});
    std::vector<double> evaluated(1);
    trainer.evaluate_batch(std::vector{ones}, evaluated);
    CHECK(evaluated[0] == 1);
  }
  CHECK(losses[0] == losses[2]);  // means of zeros and twos: exact
  CHECK(losses[1] == losses[3]);
}

TEST_CASE("variables are replaced by training steps only") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2}), w = g.parameter("w", {}, Initializer::constant(1));
  const Tensor running = g.variable("running", {});
  g.update(running, 0.5 * running + 0.5 * mean(x));
  const Tensor loss = mean(x) * w + running;
  for (const CompileOptions& options : executors()) {
    g.state()->set("running", Array::scalar(0.0F));
    Trainer trainer(g, {.loss = loss, .optimizer = SGD{}, .compile = options});
    const Array batch = floats({2, 4}, {2});
    trainer.observe(std::vector{batch});
    CHECK(trainer.program().get("running").item() == 1.5);
    std::vector<double> evaluated(1);
    trainer.evaluate_batch(std::vector{batch}, evaluated);
    CHECK(trainer.program().get("running").item() == 1.5);
  }
}

}  // namespace pullback::test
