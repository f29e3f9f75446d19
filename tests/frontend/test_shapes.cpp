// Functions that rearrange: numbers and gradients, compiled and by the reference evaluator.
#include <limits>

#include "tests/frontend/compiled.h"

namespace pullback::test {

using Catch::Matchers::Contains;

TEST_CASE("axes are joined, split and moved") {
  Graph g("g");
  const Dim batch = dim("batch");
  const Tensor x = g.input("x", f32, {batch, 6, 4, 5});
  CHECK(flatten(x).shape() == Shape{batch, 120});
  CHECK(flatten(x, 0, 1).shape() == Shape{batch * Dim(6), 4, 5});
  CHECK(flatten(x, 1, 2).shape() == Shape{batch, 24, 5});
  CHECK(unflatten(x, 1, {2, -1}).shape() == Shape{batch, 2, 3, 4, 5});
  CHECK(movedim(x, 1, -1).shape() == Shape{batch, 4, 5, 6});
  CHECK(movedim(x, {0, 1}, {-1, 0}).shape() == Shape{6, 4, 5, batch});
  CHECK_THAT(error_of([&] { flatten(x, 2, 1); }), Contains("flatten: axis 2 of f32[batch,6,4,5] lies behind axis 1"));
  CHECK_THAT(error_of([&] { unflatten(x, 1, {4, -1}); }), Contains("unflatten: f32[batch,6,4,5] does not fit [4,-1]"));
  CHECK_THAT(error_of([&] { movedim(x, {0, 1}, 2); }), Contains("movedim: 2 axes move to 1 places"));
}

TEST_CASE("elements are rolled and turned") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 3});
  const std::vector<Feed> feeds{{x, counted({2, 3})}};
  CHECK(computed(g, roll(x, {1}, 1), feeds) == Numbers{2, 0, 1, 5, 3, 4});
  CHECK(computed(g, roll(x, {-3, 4}, {0, 1}), feeds) == Numbers{5, 3, 4, 2, 0, 1});
  CHECK(computed(g, rot90(x), feeds) == Numbers{2, 5, 1, 4, 0, 3});
  CHECK(computed(g, rot90(x, 2), feeds) == Numbers{5, 4, 3, 2, 1, 0});
  CHECK(computed(g, rot90(x, -1), feeds) == Numbers{3, 0, 4, 1, 5, 2});
  const Tensor rows = g.input("rows", f64, {dim("n")});
  CHECK(computed(g, roll(rows, {2}, 0), {{rows, counted({5})}}) == Numbers{3, 4, 0, 1, 2});
  CHECK_THAT(error_of([&] { roll(x, {1}, {0, 1}); }), Contains("roll: 1 shifts are given for 2 axes"));
}

TEST_CASE("copies are laid side by side") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {dim("n"), 2});
  const std::vector<Feed> feeds{{x, counted({2, 2})}};
  CHECK(computed(g, repeat(x, {1, 2}), feeds) == Numbers{0, 1, 0, 1, 2, 3, 2, 3});
  CHECK(computed(g, repeat(x, {2, 1, 1}), feeds) == Numbers{0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(repeat(x, {3}).shape() == Shape{dim("n"), 6});
  CHECK(gradient_of(g, sum(repeat(x, {3, 2}) * repeat(x, {3, 2})) * 0.5, x, feeds) == Numbers{0, 6, 12, 18});
  CHECK(computed(g, repeat_interleave(x, 2, 1), feeds) == Numbers{0, 0, 1, 1, 2, 2, 3, 3});
  CHECK(computed(g, repeat_interleave(x, 2, 0), feeds) == Numbers{0, 1, 0, 1, 2, 3, 2, 3});
  const std::vector<Tensor> grid = meshgrid({arange(g, 2), arange(g, 3)});
  CHECK(computed(g, grid[0]) == Numbers{0, 0, 0, 1, 1, 1});
  CHECK(computed(g, grid[1]) == Numbers{0, 1, 2, 0, 1, 2});
}

TEST_CASE("tensors are cut into parts") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 5});
  const std::vector<Feed> feeds{{x, counted({2, 5})}};
  const std::vector<Tensor> parts = split(x, {1, 0, 4}, 1);
  REQUIRE(parts.size() == 3);
  CHECK(computed(g, parts[2], feeds) == Numbers{1, 2, 3, 4, 6, 7, 8, 9});
  CHECK(split(x, 2, 1).back().shape() == Shape{2, 1});
  CHECK(chunk(x, 4, 1).size() == 3);
  CHECK(computed(g, unbind(x, 1)[3], feeds) == Numbers{3, 8});
  CHECK_THAT(error_of([&] { split(x, {1, 3}, 1); }),
             Contains("split: the parts have 4 elements, axis 1 of f64[2,5] has 5 (test_shapes.cpp"));
  CHECK_THAT(error_of([&] { chunk(x, 0); }), Contains("chunk: 0 parts"));
  CHECK_THAT(error_of([&] { unbind(g.input("y", f32, {dim("n")})); }), Contains("axis 0 of f32[n] needs a known size"));
}

TEST_CASE("triangles and diagonals") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {3, 4}), v = g.input("v", f64, {dim("n")});
  const std::vector<Feed> feeds{{x, counted({3, 4})}, {v, reals({5, 6}, {2})}};
  CHECK(computed(g, tril(x), feeds) == Numbers{0, 0, 0, 0, 4, 5, 0, 0, 8, 9, 10, 0});
  CHECK(computed(g, triu(x, 1), feeds) == Numbers{0, 1, 2, 3, 0, 0, 6, 7, 0, 0, 0, 11});
  CHECK(computed(g, diagonal(x), feeds) == Numbers{0, 5, 10});
  CHECK(computed(g, diagonal(x, 2), feeds) == Numbers{2, 7});
  CHECK(computed(g, diagonal(x, -1), feeds) == Numbers{4, 9});
  CHECK(diagonal(x, 9).shape() == Shape{0});
  CHECK(gradient_of(g, sum(diagonal(x, 1)), x, feeds) == Numbers{0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  CHECK(computed(g, trace(x), feeds) == Numbers{15});
  CHECK(computed(g, diag(v, 1), feeds) == Numbers{0, 5, 0, 0, 0, 6, 0, 0, 0});
  CHECK(computed(g, diag(v, -1), feeds) == Numbers{0, 0, 0, 5, 0, 0, 0, 6, 0});
  CHECK(computed(g, diag_embed(x, 0, 0, 1), feeds).size() == 48);
  CHECK(diagonal(g.input("y", f32, {2, 3, 4}), 0, 0, 2).shape() == Shape{3, 2});
  CHECK_THAT(error_of([&] { diagonal(x, 0, 1, 1); }), Contains("diagonal: axis 1 of f64[3,4] is given twice"));
  CHECK_THAT(error_of([&] { tril(v); }), Contains("tril: f64[n] is no matrix"));
}

TEST_CASE("tensors without inputs") {
  Graph g("g");
  CHECK(computed(g, arange(g, 1, 2, 0.25, f64)) == Numbers{1, 1.25, 1.5, 1.75});
  CHECK(computed(g, arange(g, 5, 0, -2, i64)) == Numbers{5, 3, 1});
  CHECK(computed(g, linspace(g, -1, 1, 5, f64)) == Numbers{-1, -0.5, 0, 0.5, 1});
  CHECK(computed(g, linspace(g, 3, 7, 1)) == Numbers{3});
  CHECK(computed(g, eye(g, 2, 3)) == Numbers{1, 0, 0, 0, 1, 0});
  CHECK(computed(g, full(g, {2}, 7, i32)) == Numbers{7, 7});
  CHECK(ones_like(g.input("x", f64, {dim("n")})).type_string() == "f64[n]");
  CHECK_THAT(error_of([&] { arange(g, 0, 1, -1, f32); }), Contains("arange: from 0 to 1"));
  CHECK_THAT(error_of([&] { arange(g, 0, 1e300, 1, f64); }),
             Contains("arange: from 0 to 1e+300 there are 1e+300 steps of 1, too many"));
  CHECK_THAT(error_of([&] { arange(g, 0, -0x1p63, -1, i64); }), Contains("steps of -1, too many"));
  CHECK_THAT(error_of([&] { arange(g, 0, 1, 0, f32); }), Contains("there is no way in steps of 0"));
  CHECK_THAT(error_of([&] { linspace(g, 0, 1, std::numeric_limits<std::int64_t>::max()); }),
             Contains("linspace: 9223372036854775807 steps are too many"));
}

TEST_CASE("products of vectors and matrices") {
  Graph g("g");
  const Tensor a = g.input("a", f64, {3}), b = g.input("b", f64, {3}), m = g.input("m", f64, {1, 2});
  const std::vector<Feed> feeds{{a, reals({1, 2, 3}, {3})}, {b, reals({4, 5, 7}, {3})}, {m, reals({1, 10}, {1, 2})}};
  CHECK(computed(g, dot(a, b), feeds) == Numbers{35});
  CHECK(computed(g, cross(a, b), feeds) == Numbers{-1, 5, -3});
  CHECK(computed(g, outer(a, narrow(b, 0, 0, 2)), feeds) == Numbers{4, 5, 8, 10, 12, 15});
  CHECK(computed(g, kron(a, m), feeds) == Numbers{1, 10, 2, 20, 3, 30});
  CHECK_THAT(error_of([&] { mv(a, b); }), Contains("mv: the operands are f64[3] and f64[3]: 2 and 1 axes are needed"));
  CHECK_THAT(error_of([&] { cross(m, m); }), Contains("axis -1 needs size 3"));
}

}  // namespace pullback::test
