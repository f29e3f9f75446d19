#include "tests/autodiff/derivative_testing.h"

#include <algorithm>
#include <random>

#include "compiler/autodiff/gradient.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/registry.h"

namespace pullback::testing {

std::unique_ptr<ir::Function> parse_one(const std::string& text) {
  auto functions = ir::parse(text, ops::registry(), "test");
  REQUIRE(functions.size() == 1);
  return std::move(functions.front());
}

std::vector<ir::Literal> random_arguments(const ir::Function& function, unsigned seed, double low, double high) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> number(low, high);
  std::vector<ir::Literal> arguments;
  for (const auto& argument : function.body.arguments) {
    ir::Literal literal(argument->type.dtype, ir::static_dims(argument->type.shape));
    for (std::int64_t i = 0; i < literal.size(); ++i) {
      if (is_float(literal.dtype))
        literal.set(i, number(random));
      else
        literal.set_integer(i, static_cast<std::int64_t>(random() % 2));
    }
    arguments.push_back(std::move(literal));
  }
  return arguments;
}

double scalar_result(const ir::Function& function, const std::vector<ir::Literal>& arguments) {
  return ops::evaluate(function, arguments).front().as_double(0);
}

std::vector<double> numeric_gradient(const ir::Function& function, std::vector<ir::Literal> arguments,
                                     std::size_t argument, double step) {
  std::vector<double> result;
  ir::Literal& literal = arguments[argument];
  for (std::int64_t i = 0; i < literal.size(); ++i) {
    const double at = literal.as_double(i);
    literal.set(i, at + step);
    const double above = scalar_result(function, arguments);
    literal.set(i, at - step);
    const double below = scalar_result(function, arguments);
    literal.set(i, at);
    result.push_back((above - below) / (2 * step));
  }
  return result;
}

std::vector<ir::Literal> arguments_of(const ir::Function& of, const ir::Function& function,
                                      const std::vector<ir::Literal>& arguments,
                                      const std::vector<std::pair<std::string, ir::Literal>>& extra) {
  std::vector<ir::Literal> result;
  for (const auto& wanted : of.body.arguments) {
    const std::size_t before = result.size();
    for (std::size_t i = 0; i < arguments.size(); ++i)
      if (function.body.arguments[i]->name == wanted->name) result.push_back(arguments[i]);
    for (const auto& [name, literal] : extra)
      if (name == wanted->name) result.push_back(literal);
    INFO("argument " << wanted->name);
    REQUIRE(result.size() == before + 1);
  }
  return result;
}

void check_close(const ir::Literal& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.size() == static_cast<std::int64_t>(expected.size()));
  for (std::int64_t i = 0; i < got.size(); ++i)
    CHECK(got.as_double(i) == Approx(expected[static_cast<std::size_t>(i)]).epsilon(tolerance).margin(tolerance));
}

void check_gradient(const ir::Function& function, const std::vector<std::string>& wrt, double tolerance) {
  const autodiff::FunctionGradient gradient = autodiff::gradient(function, "loss", wrt);
  ir::verify(*gradient.function, "gradient");
  INFO(ir::print(*gradient.function));
  const std::vector<ir::Literal> arguments = random_arguments(function, 3);
  const std::vector<ir::Literal> results =
      ops::evaluate(*gradient.function, arguments_of(*gradient.function, function, arguments));
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    std::size_t position = 0;
    while (function.body.arguments[position]->name != wrt[i]) ++position;
    check_close(results[i], numeric_gradient(function, arguments, position), tolerance);
  }
}

std::size_t count(const ir::Function& function, const std::string& op) {
  return static_cast<std::size_t>(std::count_if(function.body.ops.begin(), function.body.ops.end(),
                                                [&](const auto& o) { return o->def->name == op; }));
}

}  // namespace pullback::testing
