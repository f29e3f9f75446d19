// What the tests of the user's side share: running tensors of a graph, and matching messages.
#pragma once

#include <catch2/catch.hpp>
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

/// One output, by the reference evaluator.
inline Array run(const Graph& g, const Tensor& output, const std::vector<Feed>& feeds = {}) {
  return g.compile({output}, reference()).step(feeds)[0];
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
