// Scans and orders along an axis: conventions at ties, zeros and NaN, and gradients.
#include <algorithm>
#include <array>
#include <cmath>

#include "tests/frontend/compiled.h"
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

using Catch::Matchers::Contains;

TEST_CASE("a sort is stable and puts NaN last") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {7}), y = g.input("y", f64, {2, 3});
  const std::vector<Feed> feeds{{x, reals({2, kNaN, -0.0, 2, 0.0, -kInfinity, -3}, {7})},
                                {y, reals({3, 1, 2, 1, 2, 3}, {2, 3})}};
  CHECK(computed(g, argsort(x), feeds) == Numbers{5, 6, 2, 4, 0, 3, 1});
  CHECK(computed(g, argsort(x, 0, true), feeds) == Numbers{1, 0, 3, 2, 4, 6, 5});
  CHECK(std::signbit(computed(g, sort(x).values, feeds)[2]));
  CHECK(computed(g, sort(y, 0).values, feeds) == Numbers{1, 1, 2, 3, 2, 3});
  const Tensor weights = arange(g, 1, 4, 1, f64);
  CHECK(gradient_of(g, sum(sort(y).values * weights), y, feeds) == Numbers{3, 1, 2, 1, 2, 3});
  CHECK(computed(g, argsort(x > 0.0), feeds) == Numbers{1, 2, 4, 5, 6, 0, 3});
}

TEST_CASE("long rows are sorted") {
  Graph g("g");
  const std::int64_t n = 5000;
  const Tensor x = g.input("x", f32, {2, n});
  std::vector<float> values;
  for (std::int64_t i = 0; i < 2 * n; ++i) values.push_back(static_cast<float>(i * 7919 % 4999));
  const std::vector<Feed> feeds{{x, Array::from(values, {2, n})}};
  CHECK(std::is_sorted(values.begin(), values.end()) == false);
  const Numbers sorted = computed(g, sort(x).values, feeds);
  CHECK(std::is_sorted(sorted.begin(), sorted.begin() + n));
  const Numbers best = computed(g, topk(x, 17).values, feeds), last = computed(g, topk(x, 17, 1, false).indices, feeds);
  for (std::size_t i = 0; i < 17; ++i) CHECK(best[i] == sorted[static_cast<std::size_t>(n) - 1 - i]);
  CHECK(last.size() == 34);
}

TEST_CASE("top k, kth value, median") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 5});
  const std::vector<Feed> feeds{{x, reals({3, 1, 4, 1, 5, 2, kNaN, 7, 7, -1}, {2, 5})}};
  CHECK(computed(g, topk(x, 2).indices, feeds) == Numbers{4, 2, 1, 2});
  CHECK(computed(g, topk(x, 3, 1, false).values, feeds) == Numbers{1, 1, 3, -1, 2, 7});
  CHECK(computed(g, topk(x, 1, 0).indices, feeds) == Numbers{0, 1, 1, 1, 0});
  CHECK(topk(x, 0).values.shape() == Shape{2, 0});
  CHECK(computed(g, kthvalue(x, 4).values, feeds) == Numbers{4, 7});
  CHECK(computed(g, kthvalue(x, 1, -1, true).indices, feeds) == Numbers{1, 4});
  const Numbers medians = computed(g, median(x, 1).values, feeds);
  CHECK(medians[0] == 3);
  CHECK(std::isnan(medians[1]));
  CHECK(computed(g, median(x, 1).indices, feeds) == Numbers{0, 1});
  CHECK(gradient_of(g, sum(median(x, 1).values), x, feeds) == Numbers{1, 0, 0, 0, 0, 0, 1, 0, 0, 0});
  CHECK(computed(g, median(narrow(x, 0, 0, 1)), feeds) == Numbers{3});
  CHECK_THAT(error_of([&] { topk(x, 6); }), Contains("topk: k = 6 of 5 elements along axis 1 of f64[2,5]"));
  CHECK_THAT(error_of([&] { kthvalue(x, 0); }), Contains("kthvalue: k = 0 of 5 elements"));
}

TEST_CASE("the gradient of max_with_index goes to the first maximum") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 3});
  const std::vector<Feed> feeds{{x, reals({1, 2, 2, 3, 0, 3}, {2, 3})}};
  CHECK(computed(g, max_with_index(x, 1).indices, feeds) == Numbers{1, 0});
  CHECK(gradient_of(g, sum(max_with_index(x, 1).values), x, feeds) == Numbers{0, 1, 0, 1, 0, 0});
  CHECK(gradient_of(g, sum(max(x, 1)), x, feeds) == Numbers{0, 0.5, 0.5, 0.5, 0, 0.5});
  CHECK(computed(g, min_with_index(x, 0, true).values, feeds) == Numbers{1, 0, 2});
}

TEST_CASE("the gradient of a cumulative product survives zeros") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {5});
  const Tensor weights = arange(g, 1, 6, 1, f64), loss = sum(cumprod(x, 0) * weights);
  const auto at = [&](Numbers values) { return gradient_of(g, loss, x, {{x, reals(std::move(values), {5})}}); };
  CHECK(at({2, 3, 1, 4, 2}) == Numbers{1 + 6 + 9 + 48 + 120, 4 + 6 + 32 + 80, 18 + 96 + 240, 24 + 60, 120});
  CHECK(at({2, 0, 3, 1, 2}) == Numbers{1, 4 + 18 + 24 + 60, 0, 0, 0});
  CHECK(at({2, 0, 3, 0, 2}) == Numbers{1, 4 + 18, 0, 0, 0});
  // d2 loss / dx_1 dx_3 of x_0 x_1 x_2 x_3 (4 + 5 x_4), with both 0.
  const Function hvp = g.hvp(loss, {x});
  const Feed at_zeros{x, reals({2, 0, 3, 0, 2}, {5})}, direction{"t.x", reals({0, 1, 0, 0, 0}, {5})};
  CHECK(numbers(hvp.compile().step({at_zeros, direction})[0])[3] == 2 * 3 * 14);
}

TEST_CASE("running extrema take the latest of equals, and NaN") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {6});
  const std::vector<Feed> feeds{{x, reals({1, 3, 3, 2, kNaN, 5}, {6})}};
  CHECK(computed(g, cummax(x, 0).indices, feeds) == Numbers{0, 1, 2, 2, 4, 4});
  CHECK(computed(g, cummin(x, 0).indices, feeds) == Numbers{0, 0, 0, 0, 4, 4});
  CHECK(std::isnan(computed(g, cummax(x, 0).values, feeds)[5]));
  const std::vector<Feed> ties{{x, reals({1, 3, 3, 2, 4, 4}, {6})}};
  CHECK(gradient_of(g, sum(cummax(x, 0).values), x, ties) == Numbers{1, 1, 2, 0, 1, 1});
}

TEST_CASE("sums and logarithms of sums run along an axis") {
  Graph g("g");
  const Tensor x = g.input("x", f64, {2, 3}), p = g.input("p", boolean, {4});
  const std::vector<Feed> feeds{{x, reals({1, 2, 3, 1000, -kInfinity, 1000}, {2, 3})}};
  const std::array flags{true, false, true, true};
  CHECK(computed(g, cumsum(narrow(x, 0, 0, 1), -1), feeds) == Numbers{1, 3, 6});
  CHECK(computed(g, cumsum(p, 0), {{p, Array::from<bool>(flags, {4})}}) == Numbers{1, 1, 2, 3});
  const Numbers logs = computed(g, logcumsumexp(x, 1), feeds);
  CHECK(logs[2] == Approx(std::log(std::exp(1) + std::exp(2) + std::exp(3))));
  CHECK(logs[4] == 1000);
  CHECK(logs[5] == Approx(1000 + std::log(2)));
  CHECK(gradient_of(g, sum(logcumsumexp(x, 1)), x, feeds)[5] == Approx(0.5));
  // From nothing on: -inf, and no NaN in the gradient.
  const std::vector<Feed> nothing{{x, reals({-kInfinity, 1, 2, 0, 0, 0}, {2, 3})}};
  CHECK(computed(g, logcumsumexp(x, 1), nothing)[0] == -kInfinity);
  CHECK(gradient_of(g, sum(narrow(logcumsumexp(x, 1), 1, 1, 1)), x, nothing)[0] == 0);
}

TEST_CASE("a linear recurrence discounts") {
  Graph g("g");
  const Tensor a = g.input("a", f64, {4}), b = g.input("b", f64, {4});
  const std::vector<Feed> feeds{{a, reals({0.5, 0.5, 0.5, 0.5}, {4})}, {b, reals({8, 4, 2, 1}, {4})}};
  CHECK(computed(g, linear_recurrence(a, b, 0), feeds) == Numbers{8, 8, 6, 4});
  CHECK(computed(g, linear_recurrence(a, b, 0, true), feeds) == Numbers{10.625, 5.25, 2.5, 1});
  CHECK(gradient_of(g, sum(linear_recurrence(a, b, 0)), b, feeds) == Numbers{1.875, 1.75, 1.5, 1});
}

TEST_CASE("random integers, coins and permutations") {
  Graph g("g", {.seed = 5});
  Program program = g.compile({randint(g, -2, 3, {1000}), bernoulli(full(g, {1000}, 0.25)), permutation(g, 100)});
  const Outputs drawn = program.step();
  const Numbers integers = numbers(drawn[0]), coins = numbers(drawn[1]);
  CHECK(*std::min_element(integers.begin(), integers.end()) == -2);
  CHECK(*std::max_element(integers.begin(), integers.end()) == 2);
  double heads = 0;
  for (const double coin : coins) heads += coin;
  CHECK(heads / 1000 == Approx(0.25).margin(0.05));
  Numbers order = numbers(drawn[2]);
  CHECK(order != numbers(program.step()[2]));
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < 100; ++i) CHECK(order[i] == static_cast<double>(i));
  CHECK_THAT(error_of([&] { randint(g, 3, 3, {1}); }), Contains("randint: the range is [3, 3)"));
}

}  // namespace pullback::test
