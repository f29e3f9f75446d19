// Running tensors through the compiled path, checked against the reference evaluator, and their gradients.
#pragma once

#include "tests/frontend/support.h"

namespace pullback::test {

using Numbers = std::vector<double>;

inline Array reals(std::vector<double> values, std::vector<std::int64_t> dims) {
  return Array::from(values, std::move(dims));
}
inline Array longs(std::vector<std::int64_t> values, std::vector<std::int64_t> dims) {
  return Array::from(values, std::move(dims));
}
/// 0, 1, 2, ... in f64.
inline Array counted(std::vector<std::int64_t> dims) {
  std::int64_t size = 1;
  for (const std::int64_t d : dims) size *= d;
  Numbers values;
  for (std::int64_t i = 0; i < size; ++i) values.push_back(static_cast<double>(i));
  return reals(values, std::move(dims));
}

inline Numbers agreed(const Numbers& compiled, const Numbers& reference) {
  REQUIRE(compiled.size() == reference.size());
  for (std::size_t i = 0; i < compiled.size(); ++i) {
    INFO("element " << i);
    if (reference[i] == reference[i])
      CHECK((compiled[i] == reference[i] || compiled[i] == Approx(reference[i])));
    else
      CHECK(compiled[i] != compiled[i]);
  }
  return compiled;
}

/// Those of the feeds that a function takes.
inline std::vector<Feed> feeds_of(const Function& function, const std::vector<Feed>& feeds) {
  std::vector<Feed> used;
  for (const Feed& feed : feeds)
    for (const std::string& name : function.input_names())
      if (feed.name == name) used.push_back(feed);
  return used;
}

inline Numbers run_both(const Function& function, const std::vector<Feed>& feeds) {
  const std::vector<Feed> used = feeds_of(function, feeds);
  return agreed(numbers(function.compile().step(used)[0]), numbers(function.compile(reference()).step(used)[0]));
}

/// The elements of an output, compiled.
inline Numbers computed(const Graph& g, const Tensor& output, const std::vector<Feed>& feeds = {}) {
  return run_both(g.function({output}), feeds);
}

/// d(loss)/d(wrt), compiled.
inline Numbers gradient_of(const Graph& g, const Tensor& loss, const Tensor& wrt, const std::vector<Feed>& feeds) {
  return run_both(g.gradient(loss, {wrt}), feeds);
}

}  // namespace pullback::test
