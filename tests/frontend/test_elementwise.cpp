// Elementwise functions that are composed of others: values at special numbers, and gradients.
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

TEST_CASE("powers with exponents that are numbers") {
  check_function([](const Tensor& x) { return pow(x, 2); }, {-3, 0}, {9, 0}, {-6, 0});
  check_function([](const Tensor& x) { return pow(x, 3); }, {-2, 0}, {-8, 0}, {12, 0});
  check_function([](const Tensor& x) { return pow(x, 0.5); }, {4, 0}, {2, 0}, {0.25, kInfinity});
  check_function([](const Tensor& x) { return pow(x, -0.5); }, {4}, {0.5}, {-1.0 / 16});
  check_function([](const Tensor& x) { return pow(x, -1); }, {4}, {0.25}, {-1.0 / 16});
  check_function([](const Tensor& x) { return pow(x, 2.5); }, {4, 0}, {32, 0}, {20, 0});
  check_function([](const Tensor& x) { return pow(x, 0) + x; }, {0, 5}, {1, 6}, {1, 1});
  Graph g("g");
  const Tensor n = g.input("n", i32, {3});
  CHECK(values(g, pow(n, 5), {{n, ints({-2, 0, 3}, {3})}}) == Numbers{-32, 0, 243});
  CHECK_THAT(error_of([&] { pow(n, -1); }), Catch::Matchers::Contains("the exponent is negative"));
}

TEST_CASE("exponentials and logarithms to other bases") {
  check_function([](const Tensor& x) { return exp2(x); }, {10, -1}, {1024, 0.5},
                 {1024 * std::log(2.0), 0.5 * std::log(2.0)});
  check_function([](const Tensor& x) { return log10(x); }, {1000, 1}, {3, 0},
                 {1 / (1000 * std::log(10.0)), 1 / std::log(10.0)});
  check_function([](const Tensor& x) { return log2(x); }, {8}, {3}, {1 / (8 * std::log(2.0))});
  check_function([](const Tensor& x) { return reciprocal(x); }, {4}, {0.25}, {-1.0 / 16});
  check_function([](const Tensor& x) { return erfc(x); }, {0}, {1}, {-2 / std::sqrt(3.14159265358979323846)});
  check_function([](const Tensor& x) { return logit(x, 0.25); }, {0.5, 0.1}, {0, std::log(1.0 / 3)}, {4, 0});
  check_function([](const Tensor& x) { return sinc(x); }, {0, 1, 0.5}, {1, 0, 2 / 3.14159265358979323846},
                 {0, -1, -4 / 3.14159265358979323846});
}

TEST_CASE("logaddexp, xlogy and hypot at their edges") {
  const Outcome sums = differentiate({vector({0, 1000, kInfinity, -kInfinity, 1}), vector({0, 0, 1, -kInfinity, kNaN})},
                                     [](const auto& x) { return logaddexp(x[0], x[1]); });
  check_close(sums.value, {std::log(2.0), 1000, kInfinity, -kInfinity, kNaN});
  check_close({sums.gradients[0][0], sums.gradients[1][0], sums.gradients[0][1]}, {0.5, 0.5, 1});
  const Outcome products =
      differentiate({vector({0, 0, 2, 0}), vector({0, 4, 4, kNaN})}, [](const auto& x) { return xlogy(x[0], x[1]); });
  check_close(products.value, {0, 0, 2 * std::log(4.0), kNaN});
  check_close({products.gradients[0][0], products.gradients[0][1], products.gradients[1][2]}, {0, std::log(4.0), 0.5});
  const Outcome lengths = differentiate({vector({3, 3e200, kInfinity}), vector({4, 4e200, 1})},
                                        [](const auto& x) { return hypot(x[0], x[1]); });
  check_close(lengths.value, {5, 5e200, kInfinity});
  check_close({lengths.gradients[0][0], lengths.gradients[1][1]}, {0.6, 0.8});
}

TEST_CASE("bounds give the gradient to what they choose") {
  check_function([](const Tensor& x) { return clamp(x, -1, 1); }, {-2, -1, 0, 1, 2}, {-1, -1, 0, 1, 1},
                 {0, 1, 1, 1, 0});
  check_function([](const Tensor& x) { return clamp_min(x, 0.5); }, {0, 0.5, 1, kNaN}, {0.5, 0.5, 1, kNaN},
                 {0, 1, 1, 1});
  check_function([](const Tensor& x) { return clamp_max(x, 0.5); }, {0, 0.5, 1}, {0, 0.5, 0.5}, {1, 1, 0});
  const Outcome tensors = differentiate({vector({0, 5, 2, 2}), vector({1, 1, 1, 4}), vector({3, 3, 3, 3})},
                                        [](const auto& x) { return clamp(x[0], x[1], x[2]); });
  CHECK(tensors.value == Numbers{1, 3, 2, 3});
  CHECK(tensors.gradients == std::vector<Numbers>{{0, 0, 1, 0}, {1, 0, 0, 0}, {0, 1, 0, 1}});
  check_function([](const Tensor& x) { return nan_to_num(x, 7, 8, 9); }, {kNaN, kInfinity, -kInfinity, 1}, {7, 8, 9, 1},
                 {0, 0, 0, 1});
}

TEST_CASE("fmax prefers numbers; remainder has the divisor's sign") {
  const Outcome larger =
      differentiate({vector({1, kNaN, 2, 3}), vector({2, 5, kNaN, 3})}, [](const auto& x) { return fmax(x[0], x[1]); });
  CHECK(larger.value == Numbers{2, 5, 2, 3});
  CHECK(larger.gradients == std::vector<Numbers>{{0, 0, 1, 1}, {1, 1, 0, 0}});
  const Outcome rest = differentiate({vector({-7, 7, -7, 6}), vector({4, -4, -4, 3})},
                                     [](const auto& x) { return remainder(x[0], x[1]); });
  CHECK(rest.value == Numbers{1, -1, -3, 0});
  CHECK(rest.gradients == std::vector<Numbers>{{1, 1, 1, 1}, {2, 2, -1, -2}});
  Graph g("g");
  const Tensor n = g.input("n", i32, {4}), m = g.input("m", i32, {4}), x = g.input("x", f64, {3});
  const std::vector<Feed> feeds{{n, ints({-7, 7, -7, 6}, {4})}, {m, ints({4, -4, -4, 3}, {4})}};
  CHECK(values(g, remainder(n, m), feeds) == Numbers{1, -1, -3, 0});
  CHECK(values(g, floor_divide(n, m), feeds) == Numbers{-2, -2, 1, 2});
  const std::vector<Feed> reals{{x, Array::from(Numbers{-7, 1, kInfinity}, {3})}};
  check_close(values(g, floor_divide(x, 2), reals), {-4, 0, kNaN});
  check_close(values(g, floor_divide(x, 0.1), {{x, Array::from(Numbers{1, 0.3, -0.25}, {3})}}), {9, 2, -3});
}

TEST_CASE("mixtures, signs and tests of numbers") {
  const Outcome mixed = differentiate({vector({1, 1}), vector({3, 3}), vector({0.25, 1})},
                                      [](const auto& x) { return lerp(x[0], x[1], x[2]); });
  check_close(mixed.value, {1.5, 3});
  check_close(mixed.gradients[0], {0.75, 0});
  check_close(mixed.gradients[1], {0.25, 1});
  check_close(mixed.gradients[2], {2, 2});
  check_close(differentiate({vector({1}), vector({3}), vector({4})},
                            [](const auto& x) { return addcmul(x[0], x[1], x[2], 0.5) + addcdiv(x[0], x[1], x[2], 2); })
                  .value,
              {9.5});
  check_close(
      differentiate({vector({1, -2, 3}), vector({-1, 1, -0.0})}, [](const auto& x) { return copysign(x[0], x[1]); })
          .value,
      {-1, 2, -3});
  Graph g("g");
  const Tensor x = g.input("x", f32, {4});
  const std::vector<Feed> feeds{{x, floats({0, 1.25f, NAN, -INFINITY}, {4})}};
  CHECK(values(g, isnan(x), feeds) == Numbers{0, 0, 1, 0});
  CHECK(values(g, isinf(x), feeds) == Numbers{0, 0, 0, 1});
  CHECK(values(g, isfinite(x), feeds) == Numbers{1, 1, 0, 0});
  CHECK(values(g, logical_and(x, x > 1.0), feeds) == Numbers{0, 1, 0, 0});
  CHECK(values(g, logical_xor(x, x > 1.0), feeds) == Numbers{0, 0, 1, 1});
  CHECK(values(g, round(x, 1), feeds)[1] == Approx(1.2));
  check_function([](const Tensor& y) { return frac(y) + round(y); }, {1.75, -2.5}, {2.75, -2.5}, {1, 1});
}

}  // namespace pullback::test
