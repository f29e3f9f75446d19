// Graphs and what is made of them: names, initial values, derivatives, programs, dumps.
#include <algorithm>
#include <cmath>

#include "tests/frontend/support.h"

namespace pullback::test {

using Catch::Matchers::Contains;
using Numbers = std::vector<double>;

TEST_CASE("scopes name parameters, in the order of their creation") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4});
  {
    const auto scope = g.scope("encoder");
    nn::linear(nn::layer_norm(x, "norm"), 3, "fc1");
  }
  nn::linear(x, 2, "fc2", {.bias = false});
  std::vector<std::string> names;
  for (const Tensor& p : g.parameters()) names.push_back(p.name());
  CHECK(names ==
        std::vector<std::string>{"encoder.norm.w", "encoder.norm.b", "encoder.fc1.w", "encoder.fc1.b", "fc2.w"});
}

TEST_CASE("first values depend on seed and name alone") {
  const auto values_of = [](std::uint64_t seed, bool another_first) {
    Graph g("g", {.seed = seed});
    if (another_first) g.parameter("a", {5}, Initializer::normal(0, 1));
    g.parameter("w", {100, 50}, Initializer::xavier());
    return numbers(g.state()->get("w"));
  };
  CHECK(values_of(1, false) == values_of(1, true));
  CHECK(values_of(1, false) != values_of(2, false));
  const Numbers w = values_of(1, false);
  const double bound = std::sqrt(6.0 / 150);
  CHECK(*std::max_element(w.begin(), w.end()) <= bound);
  CHECK(*std::max_element(w.begin(), w.end()) > 0.95 * bound);
  CHECK(*std::min_element(w.begin(), w.end()) < -0.95 * bound);
}

TEST_CASE("a function has the inputs that its outputs need, and no foreign checks") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("batch"), 4}), y = g.input("y", i32, {dim("batch")});
  const Tensor logits = nn::linear(x, 3, "fc").named("logits");
  const Tensor loss = cross_entropy(logits, y);
  CHECK(g.function({logits}).input_names() == std::vector<std::string>{"x"});
  CHECK(g.function({logits}).result_names() == std::vector<std::string>{"logits"});
  CHECK_THAT(g.function({logits}).text(), !Contains("check"));
  CHECK(g.function({loss}).input_names() == std::vector<std::string>{"x", "y"});
  CHECK_THAT(g.function({loss}).text(), Contains("check"));
}

TEST_CASE("gradients with respect to anything, as functions") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {3}), w = g.parameter("w", {3}, Initializer::constant(2));
  const Tensor hidden = (x * w).named("hidden");
  const Tensor loss = sum(square(hidden));
  const Function gradient = g.gradient(loss, {hidden, x, w});
  CHECK(gradient.result_names() == std::vector<std::string>{"d.hidden", "d.x", "d.w"});
  const Outputs out = gradient.compile(reference()).step({{x, floats({1, 2, 3}, {3})}});
  CHECK(numbers(out["d.hidden"]) == Numbers{4, 8, 12});
  CHECK(numbers(out["d.x"]) == Numbers{8, 16, 24});
  CHECK(numbers(out["d.w"]) == Numbers{4, 16, 36});
}

TEST_CASE("forward derivatives and Hessian-vector products") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2});
  const Tensor loss = sum(x * x * x);
  const std::vector<Feed> feeds{{x, Array::from(std::vector{1.0, 2.0}, {2})},
                                {"t.x", Array::from(std::vector{1.0, -1.0}, {2})}};
  CHECK(g.jvp({loss}, {x}).compile(reference()).step(feeds)[0].item() == Approx(3 - 12));
  const Numbers product = numbers(g.hvp(loss, {x}).compile(reference()).step(feeds)[0]);
  CHECK(product[0] == Approx(6));
  CHECK(product[1] == Approx(-12));
}

TEST_CASE("gradients are tensors that a loss may be made of") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {3}), w = g.parameter("w", {3}, Initializer::constant(2), f64);
  const Tensor cube = sum(x * x * x * w);
  const Tensor slope = gradients(cube, {x}).front();                       // 3 x^2 w
  const Tensor curvature = gradients(sum(slope), {x, w}).front();          // 6 x w
  const Tensor weighted = gradients({x * w, x * x}, {x}, {w, x}).front();  // w^2 + 2 x^2
  const std::vector<Feed> feeds{{"x", Array::from(std::vector<double>{1, 2, -1}, {3})}};
  CHECK(values(g, slope, feeds) == Numbers{6, 24, 6});
  CHECK(values(g, curvature, feeds) == Numbers{12, 24, -12});
  CHECK(values(g, weighted, feeds) == Numbers{6, 12, 6});
  CHECK(numbers(g.gradient(sum(square(slope)), {w}).compile(reference()).step(feeds)[0]) == Numbers{36, 576, 36});
  CHECK(values(g, gradients(sum(w), {x}).front()) == Numbers{0, 0, 0});

  // Inside of a block, with respect to what the block uses.
  const Tensor inside = composite("slope", {x}, [&](const std::vector<Tensor>& operands) {
                          return std::vector{gradients(sum(square(operands[0]) * w), {operands[0]}).front()};
                        }).front();
  CHECK(values(g, inside, feeds) == Numbers{4, 8, -4});
  CHECK(numbers(g.gradient(sum(inside), {x}).compile().step(feeds)[0]) == Numbers{4, 4, 4});

  CHECK_THAT(error_of([&] { gradients(x, {w}); }), Contains("gradients: the loss x is f64[3]: a floating scalar"));
  CHECK_THAT(error_of([&] { gradients({x}, {w}, {cube, cube}); }),
             Contains("1 outputs, but 2 cotangents (test_graph.cpp"));
  CHECK_THAT(error_of([&] { gradients({x}, {w}, {cube}); }), Contains("the cotangent of f64[3] is f64[]"));
}

TEST_CASE("forward and backward run separately") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2}), w = g.parameter("w", {2}, Initializer::constant(3));
  const Tensor y = tanh(x * w).named("y");
  const Graph::Halves halves = g.halves({y}, {x, w});
  const Array point = floats({0.1F, -0.2F}, {2});
  const Outputs forward = halves.forward.compile(reference()).step({{x, point}});
  std::vector<Feed> feeds{{"d.y", floats({1, 1}, {2})}};
  for (const std::string& name : halves.backward.input_names())
    if (name != "d.y") feeds.emplace_back(name, name == "x" ? point : forward[name]);
  const Outputs backward = halves.backward.compile(reference()).step(feeds);
  const double slope = 1 - std::pow(std::tanh(0.3), 2);
  CHECK(numbers(backward["d.x"])[0] == Approx(3 * slope).epsilon(1e-5));
  CHECK(numbers(backward["d.w"])[0] == Approx(0.1 * slope).epsilon(1e-5));
}

TEST_CASE("programs share the graph's state and give access to it") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {}), w = g.parameter("w", {}, Initializer::constant(2));
  Program product = g.compile({x * w}, reference()), total = g.compile({x + w}, reference());
  CHECK(product.step({{x, Array::scalar(5.0F)}})[0].item() == 10);
  total.set(w, Array::scalar(3.0F));
  CHECK(product.get("w").item() == 3);
  CHECK(product.step({{x, Array::scalar(5.0F)}})[0].item() == 15);
  CHECK_THAT(error_of([&] { product.set("w", Array::scalar(3.0)); }), Contains("w"));
  CHECK_THAT(error_of([&] { product.get("v"); }), Contains("v"));
}

TEST_CASE("bound steps read the same memory again") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2});
  Array memory = floats({1, 2}, {2});
  BoundStep bound = g.compile({x * 2.0}, reference()).bind({{x, memory}});
  bound.step();
  CHECK(numbers(bound.outputs()[0]) == Numbers{2, 4});
  memory.values<float>()[0] = 10;
  bound.step();
  CHECK(numbers(bound.outputs()[0]) == Numbers{20, 4});
}

TEST_CASE("compiled versions are kept, and bounded") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {dim("n")});
  CompileOptions options = reference();
  options.max_specializations = 2;
  Program program = g.compile({sum(x)}, options);
  const auto step = [&](std::int64_t n) { program.step({{x, Array(f32, {n})}}); };
  for (std::int64_t n : {1, 2, 1, 2}) step(n);
  CHECK(program.compilations().size() == 2);
  step(3);  // replaces n = 1
  step(2);
  CHECK(program.compilations().size() == 3);
  step(1);
  CHECK(program.compilations().size() == 4);
  CHECK(program.compilations().back() == "n = 1");
}

TEST_CASE("stages can be read") {
  Graph g("mlp");
  const Tensor x = g.input("x", f32, {dim("batch"), 2}), y = g.input("y", f32, {dim("batch"), 1});
  const Tensor loss = mse(nn::linear(x, 1, "fc"), y);
  Trainer trainer(g, {.loss = loss, .optimizer = Adam{}, .compile = reference()});
  CHECK_THAT(trainer.program().dump(Stage::tensor), Contains("func @mlp(") && Contains("test_graph.cpp"));
  CHECK_THAT(trainer.program().dump(Stage::gradient), Contains("d.fc.w") && Contains("grad"));
  CHECK_THAT(trainer.program().dump(Stage::step), Contains("adam.m.fc.w") && Contains("update"));
  CHECK_THAT(error_of([&] { trainer.program().dump(Stage::optimized); }),
             Contains("the sizes batch get their numbers"));
}

}  // namespace pullback::test
