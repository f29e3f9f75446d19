// Values and gradients of functions of one or several vectors, by compiled code.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "tests/frontend/support.h"

namespace pullback::test {

using Numbers = std::vector<double>;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// An f64 input and its numbers.
struct Argument {
  std::vector<std::int64_t> dims;
  Numbers numbers;
};
inline Argument vector(Numbers numbers) {
  return {{static_cast<std::int64_t>(numbers.size())}, std::move(numbers)};
}

struct Outcome {
  Numbers value;
  std::vector<Numbers> gradients;  ///< of the sum of the value, one for each argument
};

/// `function` of the arguments and the gradients of its sum.
inline Outcome differentiate(const std::vector<Argument>& arguments,
                             const std::function<Tensor(const std::vector<Tensor>&)>& function) {
  Graph g("g");
  std::vector<Tensor> inputs;
  std::vector<Feed> feeds;
  for (const Argument& argument : arguments) {
    inputs.push_back(
        g.input("x" + std::to_string(inputs.size()), f64, Shape(argument.dims.begin(), argument.dims.end())));
    feeds.emplace_back(inputs.back(), Array::from(argument.numbers, argument.dims));
  }
  const Tensor y = function(inputs);
  std::vector<Tensor> outputs{y};
  for (const Tensor& gradient : gradients(sum(y), inputs)) outputs.push_back(gradient);
  Program program = g.compile(outputs);
  const std::vector<std::string> read = program.input_names();
  std::vector<Feed> needed;  // a function may not depend on all of its arguments
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (std::find(read.begin(), read.end(), inputs[i].name()) != read.end()) needed.push_back(feeds[i]);
  const Outputs results = program.step(needed);
  Outcome outcome{numbers(results[0]), {}};
  for (std::size_t i = 1; i < results.size(); ++i) outcome.gradients.push_back(numbers(results[i]));
  return outcome;
}

/// Equal up to rounding; NaN equals NaN.
inline void check_close(const Numbers& found, const Numbers& expected, double tolerance = 1e-12) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO("element " << i << ": " << found[i] << " for " << expected[i]);
    if (std::isnan(expected[i]) || std::isinf(expected[i]))
      CHECK(((std::isnan(found[i]) && std::isnan(expected[i])) || found[i] == expected[i]));
    else
      CHECK(std::fabs(found[i] - expected[i]) <= tolerance * (1 + std::fabs(expected[i])));
  }
}

/// Value and gradient of an elementwise function at points.
inline void check_function(const std::function<Tensor(const Tensor&)>& function, const Numbers& points,
                           const Numbers& value, const Numbers& gradient) {
  const Outcome outcome = differentiate({vector(points)}, [&](const auto& x) { return function(x[0]); });
  check_close(outcome.value, value);
  check_close(outcome.gradients[0], gradient);
}

/// The gradients are those that differences of values show.
inline void check_gradients(const std::vector<Argument>& arguments,
                            const std::function<Tensor(const std::vector<Tensor>&)>& function) {
  const Outcome outcome = differentiate(arguments, function);
  const double h = 1e-6;
  const auto total = [&](const std::vector<Argument>& at) {
    double result = 0;
    for (double v : differentiate(at, function).value) result += v;
    return result;
  };
  for (std::size_t a = 0; a < arguments.size(); ++a)
    for (std::size_t i = 0; i < arguments[a].numbers.size(); ++i) {
      std::vector<Argument> above = arguments, below = arguments;
      above[a].numbers[i] += h;
      below[a].numbers[i] -= h;
      INFO("argument " << a << ", element " << i);
      CHECK(outcome.gradients[a][i] == Approx((total(above) - total(below)) / (2 * h)).epsilon(1e-5).margin(1e-7));
    }
}

}  // namespace pullback::test
