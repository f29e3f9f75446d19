// Parts of tensors, and elements at computed indices: numbers and gradients, compiled and by the reference evaluator.
#include "tests/frontend/compiled.h"

namespace pullback::test {

using Catch::Matchers::Contains;

TEST_CASE("slices go in both directions") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 5});
  const std::vector<Feed> feeds{{x, counted({2, 5})}};
  CHECK(computed(g, slice(x, {{}, {-1, -6, -2}}), feeds) == Numbers{4, 2, 0, 9, 7, 5});
  CHECK(computed(g, slice(x, {{}, {.step = -1}}), feeds) == Numbers{4, 3, 2, 1, 0, 9, 8, 7, 6, 5});
  CHECK(computed(g, slice(x, {{.step = -1}, {3, 0, -2}}), feeds) == Numbers{8, 6, 3, 1});
  CHECK(computed(g, slice(x, {{1}, {{}, -2, 2}}), feeds) == Numbers{5, 7});
  CHECK(computed(g, select(x, 1, -2), feeds) == Numbers{3, 8});
  CHECK(computed(g, narrow(x, 1, -3, 2), feeds) == Numbers{2, 3, 7, 8});
  CHECK(error_of([&] { slice(x, {{}, {9, 0, -1}}); }) != "");
  CHECK_THAT(error_of([&] { slice(x, {{.step = 0}}); }), Contains("slice: the step of axis 0 is 0 (test_indexing.cpp"));
  CHECK_THAT(error_of([&] { select(x, 1, 5); }), Contains("select: there is no element 5 in axis 1 of f64[2,5]"));
}

TEST_CASE("gather picks along an axis, from a larger tensor too") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {3, 4}), i = g.input("i", i64, {3, 2}), j = g.input("j", i64, {1, 2});
  const std::vector<Feed> feeds{{x, counted({3, 4})}, {i, longs({3, 0, 1, 1, 2, 0}, {3, 2})}};
  CHECK(computed(g, gather(x, 1, i), feeds) == Numbers{3, 0, 5, 5, 10, 8});
  CHECK(gradient_of(g, sum(gather(x, 1, i) * 2.0), x, feeds) == Numbers{2, 0, 0, 2, 0, 4, 0, 0, 2, 0, 2, 0});
  const std::vector<Feed> other{feeds[0], {j, longs({2, 1}, {1, 2})}};
  CHECK(computed(g, gather(x, 0, j), other) == Numbers{8, 5});
  CHECK(computed(g, take_along(x, j, 1), other) == Numbers{2, 1, 6, 5, 10, 9});
  CHECK_THAT(error_of([&] { gather(x, 0, g.input("k", i64, {2, 5})); }),
             Contains("gather: f64[3,4] and [2,5] don't fit beside axis 0"));
  CHECK_THAT(error_of([&] { computed(g, gather(x, 0, j), {feeds[0], {j, longs({3, 1}, {1, 2})}}); }),
             Contains("gather: indices of j lie in 1..3, but axis 0 of x f64[3,4] has indices 0..2"));
}

TEST_CASE("scatter replaces and adds") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {3, 4}), i = g.input("i", i64, {2, 3}), u = g.input("u", f64, {2, 3});
  const std::vector<Feed> feeds{
      {x, counted({3, 4})}, {i, longs({0, 2, 2, 2, 0, 2}, {2, 3})}, {u, reals({10, 20, 30, 40, 50, 60}, {2, 3})}};
  CHECK(computed(g, scatter(x, 0, i, u), feeds) == Numbers{10, 50, 2, 3, 4, 5, 6, 7, 40, 20, 60, 11});
  CHECK(computed(g, scatter(x, 0, i, -1), feeds) == Numbers{-1, -1, 2, 3, 4, 5, 6, 7, -1, -1, -1, 11});
  CHECK(computed(g, scatter_add(x, 0, i, u), feeds) == Numbers{10, 51, 2, 3, 4, 5, 6, 7, 48, 29, 100, 11});
  const Tensor loss = sum(scatter(x, 0, i, u) * 3.0);
  CHECK(gradient_of(g, loss, x, feeds) == Numbers{0, 0, 3, 3, 3, 3, 3, 3, 0, 0, 0, 3});
  // Two updates meet in column 2 of row 2: the first is gone.
  CHECK(gradient_of(g, loss, u, feeds) == Numbers{3, 3, 0, 3, 3, 3});
  CHECK_THAT(error_of([&] { scatter(x, 0, i, cast(u, f32)); }),
             Contains("scatter: x is f64[3,4], the updates are f32[2,3]"));
  CHECK_THAT(error_of([&] { scatter(x, 0, cast(i, f64), u); }), Contains("scatter: indices are f64[2,3]"));
}

TEST_CASE("scatter_reduce folds with and without the element that is there") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {4}), i = g.input("i", i64, {5}), u = g.input("u", f64, {5});
  const std::vector<Feed> feeds{
      {x, reals({3, 0, 5, 7}, {4})}, {i, longs({0, 0, 1, 2, 2}, {5})}, {u, reals({2, 3, 4, 5, 0}, {5})}};
  using R = ScatterReduction;
  CHECK(computed(g, scatter_reduce(x, 0, i, u, R::sum), feeds) == Numbers{8, 4, 10, 7});
  CHECK(computed(g, scatter_reduce(x, 0, i, u, R::mean, false), feeds) == Numbers{2.5, 4, 2.5, 7});
  CHECK(computed(g, scatter_reduce(x, 0, i, u, R::mean), feeds)[1] == 2);
  CHECK(computed(g, scatter_reduce(x, 0, i, u, R::prod, false), feeds) == Numbers{6, 4, 0, 7});
  CHECK(computed(g, scatter_reduce(x, 0, i, u, R::amax, false), feeds) == Numbers{3, 4, 5, 7});
  CHECK(computed(g, scatter_reduce(x, 0, i, u, R::amin), feeds) == Numbers{2, 0, 0, 7});
  // 3 is there twice, and so is 5: the gradient is shared.
  const Tensor largest = sum(scatter_reduce(x, 0, i, u, R::amax));
  CHECK(gradient_of(g, largest, x, feeds) == Numbers{0.5, 0, 0.5, 1});
  CHECK(gradient_of(g, largest, u, feeds) == Numbers{0, 0.5, 1, 0.5, 0});
  const Tensor product = sum(scatter_reduce(x, 0, i, u, R::prod));
  CHECK(gradient_of(g, product, x, feeds) == Numbers{6, 4, 0, 1});
  CHECK(gradient_of(g, product, u, feeds) == Numbers{9, 6, 0, 0, 25});
}

TEST_CASE("slices are added, copied and filled by index") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 3}), i = g.input("i", i32, {2}), u = g.input("u", f64, {2, 2});
  const std::vector<Feed> feeds{{x, counted({2, 3})}, {i, ints({2, 0}, {2})}, {u, reals({10, 20, 30, 40}, {2, 2})}};
  CHECK(computed(g, index_add(x, 1, i, u, 0.5), feeds) == Numbers{10, 1, 7, 23, 4, 20});
  CHECK(gradient_of(g, sum(index_add(x, 1, i, u, 0.5)), u, feeds) == Numbers(4, 0.5));
  CHECK(computed(g, index_copy(x, 1, i, u), feeds) == Numbers{20, 1, 10, 40, 4, 30});
  CHECK(computed(g, index_fill(x, 1, i, -1), feeds) == Numbers{-1, 1, -1, -1, 4, -1});
  CHECK(computed(g, index_select(x, 1, i), feeds) == Numbers{2, 0, 5, 3});
  CHECK(computed(g, masked_fill(x, select(x, 0, 0) > 0.0, -9), feeds) == Numbers{0, -9, -9, 3, -9, -9});
  CHECK_THAT(error_of([&] { index_add(x, 0, i, u); }), Contains("index_add: x is f64[2,3], indices are i32[2]"));
  CHECK_THAT(error_of([&] { masked_fill(select(x, 0, 0), x > 0.0, 0); }), Contains("which is larger"));
}

TEST_CASE("the padding row of an embedding gets no gradient") {
  Graph g("g");
  const Tensor table = g.input("table", f64, {3, 2}), ids = g.input("ids", i64, {4});
  const std::vector<Feed> feeds{{table, counted({3, 2})}, {ids, longs({2, 1, 2, 0}, {4})}};
  CHECK(computed(g, embedding(table, ids, 2), feeds) == Numbers{4, 5, 2, 3, 4, 5, 0, 1});
  CHECK(gradient_of(g, sum(embedding(table, ids)), table, feeds) == Numbers{1, 1, 1, 1, 2, 2});
  CHECK(gradient_of(g, sum(embedding(table, ids, 2)), table, feeds) == Numbers{1, 1, 1, 1, 0, 0});
  CHECK(gradient_of(g, sum(embedding(table, ids, -3)), table, feeds) == Numbers{0, 0, 1, 1, 2, 2});
  CHECK_THAT(error_of([&] { embedding(table, ids, 3); }), Contains("padding_idx 3 is no row of the table, f64[3,2]"));
}

TEST_CASE("values are sorted in") {
  Graph g("g");
  const Tensor b = g.input("b", f64, {4}), v = g.input("v", f64, {2, 3});
  const std::vector<Feed> feeds{{b, reals({1, 2, 2, 5}, {4})}, {v, reals({0, 1, 2, 3, 5, 9}, {2, 3})}};
  CHECK(computed(g, searchsorted(b, v), feeds) == Numbers{0, 0, 1, 3, 3, 4});
  CHECK(computed(g, bucketize(v, b, true), feeds) == Numbers{0, 1, 3, 3, 4, 4});
}

}  // namespace pullback::test
