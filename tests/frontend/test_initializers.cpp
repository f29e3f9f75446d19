// Initializers: distributions within bounds that follow from their variances, structure, and reproducibility.
#include <cmath>
#include <numeric>

#include "compiler/support/hash.h"
#include "tests/frontend/support.h"

namespace pullback::test {

namespace {

using Catch::Matchers::Contains;

std::vector<double> draw(const Initializer& initializer, const Shape& shape, DType dtype = f64,
                         const std::string& name = "w", std::uint64_t seed = 3) {
  Graph g("g", {.seed = seed});
  return numbers(g.state()->get(g.parameter(name, shape, initializer, dtype).name()));
}

struct Moments {
  double mean = 0, variance = 0, low = INFINITY, high = -INFINITY, kurtosis = 0;
};

Moments moments_of(const std::vector<double>& x) {
  Moments m;
  const auto n = static_cast<double>(x.size());
  for (const double v : x) {
    m.mean += v / n;
    m.low = std::min(m.low, v);
    m.high = std::max(m.high, v);
  }
  for (const double v : x) m.variance += (v - m.mean) * (v - m.mean) / n;
  for (const double v : x) m.kurtosis += std::pow(v - m.mean, 4) / n / (m.variance * m.variance);
  return m;
}

// Five standard errors: of the mean, sigma / sqrt n; of the variance, sigma^2 * sqrt((kurtosis - 1) / n).
void check_moments(const std::vector<double>& x, double mean, double variance, double kurtosis) {
  const auto n = static_cast<double>(x.size());
  const Moments m = moments_of(x);
  CHECK(std::abs(m.mean - mean) < 5 * std::sqrt(variance / n));
  CHECK(std::abs(m.variance - variance) < 5 * variance * std::sqrt((kurtosis - 1) / n));
}

constexpr double kUniform = 1.8, kNormal = 3;  // kurtosis

}  // namespace

TEST_CASE("uniform and normal numbers have their mean, variance and range") {
  const std::vector<double> uniform = draw(Initializer::uniform(-1, 3), {200, 100});
  check_moments(uniform, 1, 16.0 / 12, kUniform);
  const Moments m = moments_of(uniform);
  CHECK(m.low >= -1);
  CHECK(m.high < 3);
  CHECK(m.high > 3 - 4 * 20 / 20000.0);  // all miss this end with probability e^-20
  check_moments(draw(Initializer::normal(0.5, 2), {200, 100}), 0.5, 4, kNormal);
  CHECK(std::abs(moments_of(draw(Initializer::normal(0, 1), {200, 100})).kurtosis - 3) < 5 * std::sqrt(24 / 20000.0));
}

TEST_CASE("uniform numbers are those of their counters, however many are made at once") {
  const std::vector<double> many = draw(Initializer::uniform(-1, 3), {1003}),
                            few = draw(Initializer::uniform(-1, 3), {5}),
                            rounded = draw(Initializer::uniform(-1, 3), {1003}, f32);
  CHECK(std::equal(few.begin(), few.end(), many.begin()));
  for (std::size_t i = 0; i < many.size(); ++i) CHECK(rounded[i] == static_cast<float>(many[i]));
  // SplitMix64 of the counter, and of that plus the key.
  const auto mix = [](std::uint64_t z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  };
  const std::uint64_t key = mix(3) ^ fnv1a("w");
  for (std::size_t i = 0; i < many.size(); ++i)
    CHECK(many[i] == -1 + 4 * (static_cast<double>(mix(key + mix(i)) >> 11) * 0x1p-53));
}

TEST_CASE("truncated normal numbers stay within their bounds, also far out in a tail") {
  // Of the standard normal distribution on [-2, 2]: variance 1 - 4 phi(2) / (Phi(2) - Phi(-2)).
  const double phi = std::exp(-2.0) / std::sqrt(2 * std::acos(-1.0)), inside = std::erf(2 / std::sqrt(2.0));
  const std::vector<double> x = draw(Initializer::truncated_normal(1, 0.5, 0, 2), {100, 100});
  check_moments(x, 1, 0.25 * (1 - 4 * phi / inside), kNormal);
  CHECK(moments_of(x).low >= 0);
  CHECK(moments_of(x).high <= 2);
  // Beyond a the tail falls like exp(-a z): the mean excess is 1/a * (1 - 1/a^2 ...).
  for (const double side : {1.0, -1.0}) {
    const Moments tail = moments_of(
        draw(side > 0 ? Initializer::truncated_normal(0, 1, 10, 40) : Initializer::truncated_normal(0, 1, -40, -10),
             {100, 100}));
    CHECK(side * tail.mean == Approx(10 + 0.0981).margin(5 * 0.1 / 100));
    CHECK(std::min(std::abs(tail.low), std::abs(tail.high)) >= 10);
  }
}

TEST_CASE("scaled initializers take the fans of their layout") {
  const auto variance = [](const Initializer& initializer, const Shape& shape) {
    return moments_of(draw(initializer, shape)).variance;
  };
  const double error = 5 * std::sqrt(2 / 20000.0);  // relative, for normal numbers
  CHECK(variance(Initializer::xavier_uniform(2), {200, 100}) == Approx(4 * 2 / 300.0).epsilon(error));
  CHECK(variance(Initializer::xavier_normal(), {200, 100}) == Approx(2 / 300.0).epsilon(error));
  CHECK(variance(Initializer::kaiming_normal(), {200, 100}) == Approx(2 / 200.0).epsilon(error));
  CHECK(variance(Initializer::kaiming_normal().with_fans(Fans::out_in), {200, 100}) ==
        Approx(2 / 100.0).epsilon(error));
  // A convolution's [out, in, 5, 5].
  CHECK(variance(Initializer::kaiming_uniform({.nonlinearity = Nonlinearity::relu}), {40, 20, 5, 5}) ==
        Approx(2 / 500.0).epsilon(error));
  CHECK(variance(Initializer::kaiming_normal({.a = 1, .mode = FanMode::fan_out}), {40, 20, 5, 5}) ==
        Approx(1 / 1000.0).epsilon(error));
  CHECK(variance(Initializer::lecun_normal(), {200, 100}) == Approx(1 / 200.0).epsilon(error));
  CHECK(variance(Initializer::lecun_uniform(), {200, 100}) == Approx(1 / 200.0).epsilon(error));
  CHECK(gain_of(Nonlinearity::tanh) == 5.0 / 3);
  CHECK(gain_of(Nonlinearity::leaky_relu, 0.5) == Approx(std::sqrt(1.6)));
}

TEST_CASE("orthogonal matrices are orthogonal, tall or wide") {
  for (const auto& [rows, columns] : {std::pair{7, 7}, {12, 5}, {4, 9}, {1, 3}}) {
    const std::vector<double> q = draw(Initializer::orthogonal(2), {rows, columns});
    const bool tall = rows >= columns;
    const int few = std::min(rows, columns), many = std::max(rows, columns);
    const auto at = [&](int i, int j) { return q[static_cast<std::size_t>(tall ? j * columns + i : i * columns + j)]; };
    for (int i = 0; i < few; ++i)
      for (int k = 0; k < few; ++k) {
        double product = 0;
        for (int j = 0; j < many; ++j) product += at(i, j) * at(k, j);
        CHECK(product == Approx(i == k ? 4 : 0).margin(1e-13));
      }
  }
  // Without the sign of R's diagonal the first element would never be positive.
  int positive = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    positive += draw(Initializer::orthogonal(), {3, 3}, f64, "w", seed)[0] > 0 ? 1 : 0;
  CHECK(std::abs(positive - 20) < 5 * std::sqrt(40) / 2);
  CHECK(draw(Initializer::orthogonal(), {6, 2, 3}).size() == 36);
}

TEST_CASE("constants, identity, and values of one's own") {
  CHECK(draw(Initializer::ones(), {3}) == std::vector<double>{1, 1, 1});
  CHECK(draw(Initializer::identity(), {2, 3}) == std::vector<double>{1, 0, 0, 0, 1, 0});
  CHECK(draw(Initializer::from(floats({1, 2}, {2})), {2}) == std::vector<double>{1, 2});
  CHECK(draw(Initializer::uniform(), {0, 4}).empty());
}

TEST_CASE("numbers depend on seed, name and position alone") {
  for (const Initializer& initializer :
       {Initializer::uniform(), Initializer::normal(), Initializer::truncated_normal(), Initializer::orthogonal()}) {
    CHECK(draw(initializer, {5, 3}) == draw(initializer, {5, 3}));
    CHECK(draw(initializer, {5, 3}) != draw(initializer, {5, 3}, f64, "v"));
    CHECK(draw(initializer, {5, 3}) != draw(initializer, {5, 3}, f64, "w", 4));
    const std::vector<double> wide = draw(initializer, {5, 3}), narrow = draw(initializer, {5, 3}, f32);
    for (std::size_t i = 0; i < wide.size(); ++i) CHECK(narrow[i] == static_cast<float>(wide[i]));
  }
}

TEST_CASE("initializers that do not fit are refused") {
  Graph g("g");
  CHECK_THAT(error_of([&] { g.parameter("w", {3}, Initializer::orthogonal()); }),
             Contains("initializer of w [3]: orthogonal needs two axes") && Contains("test_initializers.cpp"));
  CHECK_THAT(error_of([&] { g.parameter("v", {3}, Initializer::from(floats({1, 2}, {2}))); }),
             Contains("the values are f32[2]"));
  CHECK_THAT(error_of([] { Initializer::normal(0, -1); }), Contains("the deviation is -1"));
  CHECK_THAT(error_of([] { Initializer::uniform(2, 1); }), Contains("low is 2 and high 1"));
  CHECK(g.parameter("w", {3}).name() == "w");  // nothing was left behind
}

}  // namespace pullback::test
