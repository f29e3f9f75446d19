// What the tests of the user's side share: running tensors of a graph, and matching messages.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include <pullback/pullback.h>

namespace pullback::test {

inline CompileOptions reference() {
  return {.executor = CompileOptions::Executor::reference};
}

/// The elements of an array as doubles.
inline std::vector<double> numbers(const Array& array) {
  std::vector<double> result;
  const auto collect = [&](auto values) {
    for (auto v : values) result.push_back(static_cast<double>(v));
  };
  switch (array.dtype()) {
    case DType::f32:
      collect(array.values<float>());
      break;
    case DType::f64:
      collect(array.values<double>());
      break;
    case DType::i32:
      collect(array.values<std::int32_t>());
      break;
    case DType::i64:
      collect(array.values<std::int64_t>());
      break;
    case DType::boolean:
      collect(array.values<bool>());
      break;
    default:
      FAIL("numbers: " << array.type_string());
  }
  return result;
}

/// Both ways of running a program.
inline std::vector<CompileOptions> executors() {
  return {reference(), CompileOptions{}};
}

/// Compiled numbers against the reference's. These graphs are a few ops deep and their sums have a few terms: 16
/// roundings of the largest element are more than they can make.
inline void check_agree(const Array& compiled, const Array& expected) {
  REQUIRE(compiled.dtype() == expected.dtype());
  REQUIRE(compiled.dims() == expected.dims());
  const double ulp = compiled.dtype() == DType::f64 ? 0x1p-52 : compiled.dtype() == DType::f32 ? 0x1p-23 : 0;
  const std::vector<double> x = numbers(compiled), y = numbers(expected);
  double largest = 0;
  for (const double v : y) largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : largest;
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO("element " << i << ": " << x[i] << " compiled, " << y[i] << " by the reference");
    CHECK((x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i])) || std::abs(x[i] - y[i]) <= 16 * ulp * largest));
  }
}

/// One output, by the reference evaluator; compiled code must agree.
inline Array run(const Graph& g, const Tensor& output, const std::vector<Feed>& feeds = {}) {
  Array expected = g.compile({output}, reference()).step(feeds)[0];
  check_agree(g.compile({output}).step(feeds)[0], expected);
  return expected;
}
inline std::vector<double> values(const Graph& g, const Tensor& output, const std::vector<Feed>& feeds = {}) {
  return numbers(run(g, output, feeds));
}

inline Array floats(std::vector<float> values, std::vector<std::int64_t> dims) {
  return Array::from(values, std::move(dims));
}
inline Array ints(std::vector<std::int32_t> values, std::vector<std::int64_t> dims) {
  return Array::from(values, std::move(dims));
}

/// The message of the Error that `action` throws; fails when it throws none.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  FAIL("no Error was thrown");
  return {};
}

/// Collects warnings while it lives.
class Warnings {
 public:
  Warnings() : previous_(set_warning_sink([this](const std::string& message) { messages.push_back(message); })) {}
  ~Warnings() { set_warning_sink(previous_); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  std::vector<std::string> messages;

 private:
  WarningSink previous_;
};

}  // namespace pullback::test
