// What a step costs, and where its time goes.
#include <catch2/catch.hpp>

#include <pullback/pullback.h>

namespace pullback::test {

namespace {

double flop_of(const Tensor& y, const std::vector<Feed>& inputs) {
  Program program = Graph(y.trace()).compile({y});
  program.step(inputs);
  const StepCost cost = program.cost();
  CHECK(cost.flop_in_bounds <= cost.flop);
  return cost.flop_in_bounds;
}

}  // namespace

TEST_CASE("products are counted, those with padding apart", "[report]") {
  Graph g("cost");
  Tensor x = g.input("x", f32, {5, 7}), w = g.input("w", f32, {7, 3});
  CHECK(flop_of(matmul(x, w), {{"x", Array(f32, {5, 7})}, {"w", Array(f32, {7, 3})}}) == 2 * 5 * 7 * 3);

  // One axis of 4, padded to 6: windows of 3 taps see 2 + 3 + 3 + 2 elements.
  Graph h("padded");
  Tensor image = h.input("image", f32, {2, 3, 4}), kernel = h.input("kernel", f32, {5, 3, 3});
  Program program = h.compile({conv1d(image, kernel, {}, {.padding = 1})});
  program.step({{"image", Array(f32, {2, 3, 4})}, {"kernel", Array(f32, {5, 3, 3})}});
  CHECK(program.cost().flop == 2 * 2 * 3 * 5 * 12);
  CHECK(program.cost().flop_in_bounds == 2 * 2 * 3 * 5 * 10);
  CHECK(program.cost().input_bytes == 4 * (2 * 3 * 4 + 5 * 3 * 3));
  CHECK(program.cost().output_bytes == 4 * 2 * 5 * 4);
}

TEST_CASE("a measured program tells the time of its kernels", "[report]") {
  Graph g("measured");
  Tensor x = g.input("x", f32, {64, 64});
  Tensor y = softmax(matmul(x, x), 1);
  CompileOptions options;
  options.profile = true;
  Program program = g.compile({y}, options);
  const Feed feed{"x", Array(f32, {64, 64})};
  for (int i = 0; i < 3; ++i) program.step({feed});
  const std::string table = program.profile();
  CAPTURE(table);
  CHECK(table.find("measured: 3 steps") == 0);
  CHECK(table.find("dot_general") != std::string::npos);
  CHECK_THROWS_WITH(g.compile({y}).profile(), Catch::Contains("was not compiled to be measured"));
}

}  // namespace pullback::test
