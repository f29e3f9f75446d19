#include "compiler/autodiff/jvp.h"

#include "compiler/autodiff/gradient.h"
#include "compiler/ir/builder.h"
#include "compiler/ops/build.h"
#include "compiler/ops/evaluate.h"
#include "tests/autodiff/derivative_testing.h"

namespace pullback {
namespace {

constexpr const char* kFunction = R"(
func @f(%x: f64[3,2], %y: f64[2,4], %i: i32[4]) {
  %a: f64[3,4] = dot_general(%x, %y) {contract = [1]x[0], batch = []x[]} loc("f.cpp":2)
  %b: f64[3,4] = sin(%a) loc("f.cpp":3)
  %c: f64[3,4] = mul(%a, %b)
  %m: f64[3] = reduce_max(%c) {axes = [1]}
  %t: f64[4,3] = transpose(%c) {permutation = [1,0]}
  %loss: f64[] = reduce_sum(%t) {axes = [0,1]}
  return loss = %loss, m = %m, c = %c, i = %i
}
)";

std::vector<ir::Literal> directions(const ir::Function& f, const std::vector<std::size_t>& of) {
  const auto all = testing::random_arguments(f, 11);
  std::vector<ir::Literal> result;
  for (const std::size_t i : of) result.push_back(all[i]);
  return result;
}

/// (results at arguments + h*directions - results at arguments - h*directions) / 2h, of one result.
std::vector<double> numeric_jvp(const ir::Function& f, const std::vector<ir::Literal>& arguments,
                                const std::vector<std::size_t>& of, const std::vector<ir::Literal>& direction,
                                std::size_t result) {
  constexpr double h = 1e-5;
  const auto moved = [&](double by) {
    std::vector<ir::Literal> at = arguments;
    for (std::size_t k = 0; k < of.size(); ++k)
      for (std::int64_t i = 0; i < at[of[k]].size(); ++i)
        at[of[k]].set(i, at[of[k]].as_double(i) + by * direction[k].as_double(i));
    return ops::evaluate(f, at)[result];
  };
  const ir::Literal above = moved(h), below = moved(-h);
  std::vector<double> derivative;
  for (std::int64_t i = 0; i < above.size(); ++i)
    derivative.push_back((above.as_double(i) - below.as_double(i)) / (2 * h));
  return derivative;
}

TEST_CASE("forward derivatives agree with differences", "[jvp]") {
  const auto f = testing::parse_one(kFunction);
  const auto forward = autodiff::jvp(*f, {"loss", "m", "c"}, {"x", "y"});
  ir::verify(*forward, "jvp");
  const auto arguments = testing::random_arguments(*f, 2);
  const auto direction = directions(*f, {0, 1});
  const auto results = ops::evaluate(
      *forward, testing::arguments_of(*forward, *f, arguments, {{"t.x", direction[0]}, {"t.y", direction[1]}}));
  for (std::size_t i = 0; i < 3; ++i)
    testing::check_close(results[i], numeric_jvp(*f, arguments, {0, 1}, direction, i), 1e-7);
}

TEST_CASE("the derived rule leaves no trace of the cotangent", "[jvp]") {
  const auto f = testing::parse_one(kFunction);
  const auto forward = autodiff::jvp(*f, {"c"}, {"x"});
  INFO(ir::print(*forward));
  CHECK(testing::count(*forward, "dot_general") == 2);  // the product and its derivative
  CHECK(ir::print(*forward).find("%t.b: f64[3,4]") != std::string::npos);
  CHECK(ir::print(*forward).find(R"(jvp "sin")") != std::string::npos);
}

TEST_CASE("outputs that depend on nothing have zero derivatives", "[jvp]") {
  const auto f = testing::parse_one("func @f(%x: f64[2], %y: f64[2]) {\n  return x = %x, y = %y\n}\n");
  const auto forward = autodiff::jvp(*f, {"x", "y"}, {"x"});
  const auto direction = directions(*f, {0});
  const auto results = ops::evaluate(*forward, direction);
  testing::check_close(results[0], {direction[0].as_double(0), direction[0].as_double(1)}, 0);
  testing::check_close(results[1], {0, 0}, 0);
}

TEST_CASE("Hessian-vector products: forward over reverse and reverse over reverse", "[jvp][gradient]") {
  const auto f = testing::parse_one(kFunction);
  const auto arguments = testing::random_arguments(*f, 4);
  const auto direction = directions(*f, {0, 1});

  // Differences of the gradient.
  const auto gradient = autodiff::gradient(*f, "loss", {"x", "y"}).function;
  const auto gradient_arguments = testing::arguments_of(*gradient, *f, arguments);
  const auto hvp = autodiff::hessian_vector_product(*f, "loss", {"x", "y"});
  ir::verify(*hvp, "hvp");
  const auto products =
      ops::evaluate(*hvp, testing::arguments_of(*hvp, *f, arguments, {{"t.x", direction[0]}, {"t.y", direction[1]}}));
  for (std::size_t i = 0; i < 2; ++i)
    testing::check_close(products[i], numeric_jvp(*gradient, gradient_arguments, {0, 1}, direction, i), 1e-6);

  // Reverse over reverse: the gradient of <gradient, direction>.
  const auto twice = ir::clone(*gradient);
  ir::Builder builder(twice->body);
  std::vector<ir::Value*> wrt = {twice->body.arguments[0].get(), twice->body.arguments[1].get()};
  ops::Value sum;
  for (std::size_t i = 0; i < 2; ++i) {
    const ops::Value along =
        ops::reduce_sum(ops::Value(builder, twice->body.results[i]) * ops::constant(builder, direction[i]), {0, 1});
    sum = sum ? sum + along : along;
  }
  const auto second = autodiff::gradients(builder, sum.value, wrt);
  twice->results.clear();
  twice->body.results.clear();
  for (std::size_t i = 0; i < 2; ++i) twice->add_result(second[i], "h");
  const auto again = ops::evaluate(*twice, gradient_arguments);
  for (std::size_t i = 0; i < 2; ++i) {
    std::vector<double> expected;
    for (std::int64_t k = 0; k < products[i].size(); ++k) expected.push_back(products[i].as_double(k));
    testing::check_close(again[i], expected, 1e-10);
  }
}

TEST_CASE("mistakes in forward derivatives are named", "[jvp][errors]") {
  const auto f = testing::parse_one(kFunction);
  CHECK_THROWS_WITH(autodiff::jvp(*f, {"i"}, {"x"}), "derivative of i (i32[4]): only floating tensors have gradients");
  CHECK_THROWS_WITH(autodiff::jvp(*f, {"c"}, {"i"}),
                    "derivative with respect to i (i32[4]): only floating tensors have gradients");
  CHECK_THROWS_WITH(autodiff::jvp(*f, {"d"}, {"x"}), "jvp: f has no result d; there are: loss, m, c, i");
}

}  // namespace
}  // namespace pullback
