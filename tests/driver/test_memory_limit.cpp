// Steps in less memory: values are computed again, with the same bits, and the smallest number that can be kept is
// known.
#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <regex>
#include <string>

#include <pullback/pullback.h>

#include "tests/frontend/support.h"

namespace pullback::test {

namespace {

Array ramp(std::vector<std::int64_t> dims) {
  Array array(f32, std::move(dims));
  float value = -1;
  for (float& element : array.values<float>()) element = (value = value > 1 ? -1.0F : value + 0.037F);
  return array;
}

struct Trained {
  std::vector<float> losses;
  StepCost cost;
};

// A deep network whose activations are most of the memory.
Trained train(std::int64_t memory_limit) {
  Graph g("deep", {.seed = 3});
  Tensor x = g.input("x", f32, {256, 24}), y = g.input("y", f32, {256, 24}), h = x;
  for (int i = 0; i < 12; ++i) h = h + tanh(nn::linear(gelu(h), 24, "layer" + std::to_string(i)));
  CompileOptions compile;
  compile.memory_limit = memory_limit;
  Trainer trainer(g, {.loss = mse(h, y), .optimizer = Adam{.lr = 1e-2}, .compile = compile});
  const Array xs = ramp({256, 24}), ys = ramp({256, 24});
  Trained result;
  for (int i = 0; i < 4; ++i)
    result.losses.push_back(trainer.program().step({{"x", xs}, {"y", ys}})[0].values<float>()[0]);
  result.cost = trainer.program().cost();
  return result;
}

/// Two steps of a network of 16 channels.
Trained train_images(std::int64_t memory_limit, CompileOptions::Executor executor,
                     const std::function<Tensor(const Tensor&)>& network) {
  Graph g("images", {.seed = 5});
  Tensor x = g.input("x", f32, {8, 16, 16, 16}), out = network(x);
  CompileOptions compile;
  compile.executor = executor;
  compile.memory_limit = memory_limit;
  Trainer trainer(g, {.loss = mse(out, x), .optimizer = SGD{.lr = 1e-2}, .compile = compile});
  const Array xs = ramp({8, 16, 16, 16});
  Trained result;
  for (int i = 0; i < 2; ++i) result.losses.push_back(trainer.program().step({{"x", xs}})[0].values<float>()[0]);
  if (executor == CompileOptions::Executor::compiled) result.cost = trainer.program().cost();
  return result;
}

Tensor convolution(const Tensor& x) {
  return nn::Conv2d(16, 16, 3, {.padding = 1, .bias = false})(x);
}

std::int64_t least_of(const std::string& message) {
  std::smatch match;
  REQUIRE(std::regex_search(message, match, std::regex("need at least ([0-9]+)")));
  return std::stoll(match[1]);
}

}  // namespace

TEST_CASE("a step keeps within its memory limit and computes the same", "[memory]") {
  const Trained free = train(0);
  for (const double share : {0.9, 0.75, 0.65}) {
    const auto limit = static_cast<std::int64_t>(share * static_cast<double>(free.cost.arena_bytes));
    const Trained bounded = train(limit);
    CHECK(bounded.cost.arena_bytes <= limit);
    CHECK(bounded.cost.flop >= free.cost.flop);
    CHECK(bounded.losses == free.losses);
  }
}

// A product and the gradient of its weights read the normalized rows, the normalization's gradient the rows less their
// means. Keeping these suffices: the rest is a few instructions for an element.
TEST_CASE("what a few instructions compute again is not kept", "[memory]") {
  constexpr std::int64_t kLayers = 20, kBatch = 1024, kWidth = 16;
  const auto train = [&](CompileOptions::Executor executor) {
    Graph g("cheap", {.seed = 5});
    Tensor x = g.input("x", f32, {kBatch, kWidth}), h = x;
    for (int i = 0; i < kLayers; ++i)
      h = nn::linear(nn::layer_norm(h, "norm" + std::to_string(i)), kWidth, "layer" + std::to_string(i));
    CompileOptions compile;
    compile.executor = executor;
    Trainer trainer(g, {.loss = mse(h, x), .optimizer = SGD{.lr = 1e-2}, .compile = compile});
    const Array xs = ramp({kBatch, kWidth});
    Trained result;
    for (int i = 0; i < 2; ++i) result.losses.push_back(trainer.program().step({{"x", xs}})[0].values<float>()[0]);
    if (executor == CompileOptions::Executor::compiled) result.cost = trainer.program().cost();
    return result;
  };
  const Trained compiled = train(CompileOptions::Executor::compiled);
  const Trained expected = train(CompileOptions::Executor::reference);
  // One value and two statistics of its rows for a layer, and a few values that are on their way: with both values it
  // would be 40 of them.
  CHECK(compiled.cost.arena_bytes <= (kLayers * (kWidth + 2) + 4 * kWidth) * kBatch * 4);
  // The executors add in different orders: errors of some epsilons in each of the layers, in both directions.
  for (std::size_t i = 0; i < expected.losses.size(); ++i)
    CHECK(compiled.losses[i] == Approx(expected.losses[i]).epsilon(2 * kLayers * 1.2e-7 * 8));
}

// The gradient of gelu, behind a product, and what the next product reads, computed again, need the same erf.
TEST_CASE("what is computed again joins the product whose end computes the same", "[memory]") {
  Graph g("gelu", {.seed = 5});
  Tensor x = g.input("x", f32, {256, 128}), h = x;
  for (int i = 0; i < 3; ++i) {
    const std::string layer = std::to_string(i);
    h = nn::linear(gelu(nn::linear(h, 512, "up" + layer)), 128, "down" + layer);
  }
  Trainer trainer(g, {.loss = mse(h, x), .optimizer = SGD{.lr = 1e-2}});
  const std::string kernels = trainer.program().dump(Stage::kernel);
  std::size_t with_erf = 0;
  for (std::size_t at = 0, end = 0; at < kernels.size(); at = end) {
    end = std::min(kernels.find("\nkernel @", at + 1), kernels.size());
    const std::string kernel = kernels.substr(at, end - at);
    if (kernel.find("@erf") == std::string::npos) continue;
    ++with_erf;
    INFO(kernel);
    CHECK(kernel.find("contract ") != std::string::npos);
  }
  CHECK(with_erf == 3);  // forward; backward where nothing is computed again, and where something is
}

// Of each convolution the result less its mean is kept. What the next one read is computed again, and with it what that
// takes of the blocks before.
TEST_CASE("what convolutions read is computed again where they read it again", "[memory]") {
  constexpr std::int64_t kBlocks = 5, kBytes = std::int64_t{8} * 16 * 16 * 16 * 4;
  const auto normalized = [](const Tensor& x) { return nn::BatchNorm2d(16)(convolution(x)); };
  const auto network = [&](const Tensor& x) {
    Tensor h = x;
    for (int i = 0; i < kBlocks; ++i) h = relu(normalized(relu(normalized(h))) + h);
    return h;
  };
  const Trained compiled = train_images(0, CompileOptions::Executor::compiled, network);
  // Two for a block, and a few that are on their way; with what convolutions read it would be four.
  CHECK(compiled.cost.arena_bytes <= (2 * kBlocks + 5) * kBytes);
}

TEST_CASE("values that lie with their channels last are computed again with the same bits", "[memory]") {
  const auto network = [](const Tensor& x) {
    Tensor h = x;
    for (int i = 0; i < 6; ++i) h = tanh(gelu(convolution(h)));
    return h;
  };
  const Trained free = train_images(0, CompileOptions::Executor::compiled, network);
  const auto limit = static_cast<std::int64_t>(0.7 * static_cast<double>(free.cost.arena_bytes));
  const Trained bounded = train_images(limit, CompileOptions::Executor::compiled, network);
  CHECK(bounded.cost.arena_bytes <= limit);
  CHECK(bounded.losses == free.losses);
}

TEST_CASE("a limit that can't be kept names the smallest that can", "[memory]") {
  try {
    train(1000);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("memory_limit is 1000 bytes"));
    const std::int64_t least = least_of(error.what());
    CHECK(train(least).cost.arena_bytes == least);
    CHECK_THAT(error.what(), !Catch::Contains("winograd"));
  }
}

TEST_CASE("convolutions that need less by the sums of all their products say so", "[memory]") {
  const auto arena_of = [](const CompileOptions& compile) {
    Graph g("wide");
    const Tensor x = g.input("x", f32, {4, 256, 14, 14});
    Trainer trainer(
        g, {.loss = mean(square(nn::Conv2d(256, 256, 3, {.padding = 1})(x))), .optimizer = SGD{}, .compile = compile});
    return trainer.program().cost().arena_bytes;
  };
  const std::int64_t less = arena_of({.winograd = false});
  REQUIRE(less < arena_of({}));
  CHECK_NOTHROW(arena_of({.winograd = false, .memory_limit = less}));
  CHECK_THROWS_WITH(arena_of({.memory_limit = less / 2}), Catch::Contains("(perhaps fewer with .winograd = false)"));
}

}  // namespace pullback::test
