// What the tests of control flow share: a loop is compared with the same thing written without it, compiled and
// evaluated.
#pragma once

#include <cmath>
#include <random>

#include "tests/frontend/support.h"

namespace pullback::test {

/// Numbers in [-1, 1).
inline Array random_array(DType dtype, std::vector<std::int64_t> dims, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> real(-1, 1);
  std::int64_t count = 1;
  for (std::int64_t d : dims) count *= d;
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& v : values) v = real(engine);
  if (dtype == f64) return Array::from(values, std::move(dims));
  return Array::from(std::vector<float>(values.begin(), values.end()), std::move(dims));
}

inline void check_close(const Array& actual, const Array& expected, double tolerance) {
  REQUIRE(actual.dims() == expected.dims());
  const std::vector<double> a = numbers(actual), e = numbers(expected);
  double scale = 1;
  for (const double v : e) scale = std::max(scale, std::fabs(v));
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO("element " << i << ": " << a[i] << ", expected " << e[i]);
    REQUIRE(std::fabs(a[i] - e[i]) <= tolerance * scale);
  }
}

/// actual[i] and expected[i] are the same numbers, and compiled ones are the evaluator's.
inline void check_equal(const Graph& g, const std::vector<Tensor>& actual, const std::vector<Tensor>& expected,
                        const std::vector<Feed>& feeds, double tolerance) {
  std::vector<Tensor> all = actual;
  all.insert(all.end(), expected.begin(), expected.end());
  const Outputs compiled = g.compile(all).step(feeds), evaluated = g.compile(all, reference()).step(feeds);
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO("output " << i << ", compiled against evaluated");
    check_close(compiled[i], evaluated[i], tolerance);
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    INFO("output " << i << ", against what is written without a loop");
    check_close(compiled[i], compiled[actual.size() + i], tolerance);
  }
}

inline double tolerance_of(DType dtype) {
  return dtype == f64 ? 1e-12 : 2e-5;
}

}  // namespace pullback::test
