// Gradients where functions have ties, zeros and kinks: the conventions that the ops' documentation states.
#include <catch2/catch.hpp>
#include <cmath>

#include "compiler/autodiff/gradient.h"
#include "compiler/ops/build.h"
#include "compiler/ops/evaluate.h"

using namespace pullback;

namespace {

using Numbers = std::vector<double>;

// The gradients of the sum of what `body` computes from f64 vectors.
template <class Body>
std::vector<Numbers> gradients_of(const std::vector<Numbers>& arguments, const Body& body) {
  ir::Function function;
  ir::Builder builder(function.body);
  std::vector<ops::Value> operands;
  std::vector<ir::Value*> wrt;
  std::vector<ir::Literal> literals;
  for (const Numbers& numbers : arguments) {
    const auto size = static_cast<std::int64_t>(numbers.size());
    operands.emplace_back(builder, function.add_argument({DType::f64, {size}}, "x"));
    wrt.push_back(operands.back().value);
    literals.emplace_back(DType::f64, std::vector<std::int64_t>{size});
    for (std::int64_t i = 0; i < size; ++i) literals.back().set(i, numbers[static_cast<std::size_t>(i)]);
  }
  ops::Value result = body(operands);
  if (result.rank() > 0) result = ops::reduce_sum(result, {0});
  for (ir::Value* gradient : autodiff::gradients(builder, result.value, wrt)) function.add_result(gradient, "d");
  std::vector<Numbers> gradients;
  for (const ir::Literal& literal : ops::evaluate(function, literals)) {
    gradients.emplace_back();
    for (std::int64_t i = 0; i < literal.size(); ++i) gradients.back().push_back(literal.as_double(i));
  }
  return gradients;
}

using Values = std::vector<ops::Value>;

}  // namespace

TEST_CASE("Ties are split evenly", "[ops]") {
  const auto larger = gradients_of({{1, 2, 3}, {1, 3, 2}}, [](const Values& x) { return ops::maximum(x[0], x[1]); });
  CHECK(larger == std::vector<Numbers>{{0.5, 0, 1}, {0.5, 1, 0}});
  const auto smaller = gradients_of({{1, 2, 3}, {1, 3, 2}}, [](const Values& x) { return ops::minimum(x[0], x[1]); });
  CHECK(smaller == std::vector<Numbers>{{0.5, 1, 0}, {0.5, 0, 1}});
  const auto largest = gradients_of({{2, 1, 2, 0}}, [](const Values& x) { return ops::reduce_max(x[0], {0}); });
  CHECK(largest == std::vector<Numbers>{{0.5, 0, 0.5, 0}});
}

TEST_CASE("A product's gradient survives zeros", "[ops]") {
  const auto product = [](const Values& x) { return ops::reduce_prod(x[0], {0}); };
  CHECK(gradients_of({{2, 3, 4}}, product) == std::vector<Numbers>{{12, 8, 6}});
  CHECK(gradients_of({{2, 0, 4}}, product) == std::vector<Numbers>{{0, 8, 0}});
  CHECK(gradients_of({{0, 0, 4}}, product) == std::vector<Numbers>{{0, 0, 0}});
}

TEST_CASE("Gradients at zero", "[ops]") {
  CHECK(gradients_of({{0, -2, 2}}, [](const Values& x) { return ops::abs(x[0]); }) == std::vector<Numbers>{{0, -1, 1}});
  const auto powers = gradients_of({{0, 0, 0}, {0, 1, 2}}, [](const Values& x) { return ops::pow(x[0], x[1]); });
  CHECK(powers == std::vector<Numbers>{{0, 1, 0}, {0, 0, 0}});
  const auto root = gradients_of({{0, 4}}, [](const Values& x) { return ops::sqrt(x[0]); });
  CHECK(std::isinf(root[0][0]));
  CHECK(root[0][1] == 0.25);
}

TEST_CASE("A stopped gradient is zero", "[ops]") {
  CHECK(gradients_of({{3}}, [](const Values& x) { return x[0] * ops::stop_gradient(x[0]); }) ==
        std::vector<Numbers>{{3}});
}
