#include "compiler/autodiff/step.h"

#include "compiler/ir/builder.h"
#include "compiler/ops/build.h"
#include "compiler/ops/evaluate.h"
#include "tests/autodiff/derivative_testing.h"

namespace pullback {
namespace {

// Linear regression with a running mean of the inputs, a check, and a parameter that nothing reads.
constexpr const char* kTraced = R"(
func @line(%x: f64[4,3], %y: f64[4], state %w: f64[3], state %mean: f64[3], state %idle: f64[2], %ok: bool[]) {
  check(%ok) {message = "labels"}
  %p: f64[4] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
  %e: f64[4] = sub(%p, %y)
  %q: f64[4] = mul(%e, %e)
  %loss: f64[] = reduce_sum(%q) {axes = [0]}
  %sum: f64[3] = reduce_sum(%x) {axes = [0]}
  %next: f64[3] = add(%mean, %sum)
  return loss = %loss, p = %p, state mean = %next
}
)";

std::vector<std::string> result_names(const ir::Function& f) {
  std::vector<std::string> names;
  for (const ir::FunctionResult& result : f.results) names.push_back(result.name);
  return names;
}

std::vector<std::string> argument_names(const ir::Function& f) {
  std::vector<std::string> names;
  for (const auto& argument : f.body.arguments) names.push_back(argument->name);
  return names;
}

/// w' = w - rate * momentum', momentum' = momentum + dw.
void momentum(autodiff::UpdateContext& c) {
  ir::Builder& b = c.build();
  const ops::Value rate(b, c.input("rate", {DType::f64, {}}));
  for (std::size_t i = 0; i < c.parameters().size(); ++i) {
    const ops::Value p(b, c.parameters()[i]);
    const ops::Value m(b, c.state("momentum." + p.value->name, p.type()));
    const ops::Value next = m + ops::Value(b, c.gradients()[i]);
    c.update(m.value, next.value);
    c.update(p.value, (p - ops::broadcast_scalar(rate, p.shape()) * next).value);
  }
  c.result("rate", rate.value);
}

TEST_CASE("a step is forward, gradient, metrics and update in one", "[step]") {
  const auto traced = testing::parse_one(kTraced);
  const autodiff::Step step = autodiff::build_step(
      *traced, {.name = "line.step", .loss = "loss", .metrics = {"p"}, .trainable = {"w", "idle"}, .update = momentum});
  const ir::Function& f = *step.function;
  ir::verify(f, "step");
  INFO(ir::print(f));
  CHECK(result_names(f) ==
        std::vector<std::string>{"loss", "p", "rate", "mean", "momentum.w", "w", "momentum.idle", "idle"});
  CHECK(step.independent == std::vector<std::string>{"idle"});
  REQUIRE(step.states.size() == 2);
  CHECK(step.states[0].name == "momentum.w");
  CHECK(testing::count(f, "check") == 1);
  CHECK(ir::print(f).find("update") != std::string::npos);

  const auto arguments = testing::random_arguments(*traced, 1);
  std::vector<ir::Literal> given = arguments;
  given[5].set_integer(0, 1);
  const ir::Literal zeros2(DType::f64, {2}), zeros3(DType::f64, {3});
  const auto results = ops::evaluate(
      f, testing::arguments_of(
             f, *traced, given,
             {{"rate", ir::Literal::filled(DType::f64, {}, 0.1)}, {"momentum.w", zeros3}, {"momentum.idle", zeros2}}));
  const auto gradient = testing::numeric_gradient(*traced, given, 2);
  std::vector<double> updated;
  for (std::int64_t i = 0; i < 3; ++i)
    updated.push_back(given[2].as_double(i) - 0.1 * gradient[static_cast<std::size_t>(i)]);
  testing::check_close(results[5], updated, 1e-7);
  testing::check_close(results[7], {given[4].as_double(0), given[4].as_double(1)}, 0);
}

TEST_CASE("inference needs neither labels nor their checks", "[step]") {
  const auto traced = testing::parse_one(kTraced);
  const auto forward = autodiff::forward_only(*traced, "line.p", {"p"});
  ir::verify(*forward, "forward");
  CHECK(argument_names(*forward) == std::vector<std::string>{"x", "w"});
  CHECK(result_names(*forward) == std::vector<std::string>{"p"});
  CHECK(forward->body.ops.size() == 1);
  CHECK_THROWS_WITH(autodiff::forward_only(*traced, "f", {"q"}),
                    "forward: line has no result q; there are: loss, p, mean");
}

TEST_CASE("gradients without an update", "[step]") {
  const auto traced = testing::parse_one(kTraced);
  const autodiff::Step step = autodiff::gradients_only(*traced, "line.gradients", "loss", {"w", "x"}, {"loss"});
  ir::verify(*step.function, "gradients");
  CHECK(result_names(*step.function) == std::vector<std::string>{"loss", "d.w", "d.x"});
  CHECK(argument_names(*step.function) == std::vector<std::string>{"x", "y", "w"});
}

TEST_CASE("forward and backward apart compute what they compute together", "[step]") {
  const auto traced = testing::parse_one(kTraced);
  const autodiff::Split split = autodiff::split_gradient(*traced, "line", {"p"}, {"w", "x"});
  ir::verify(*split.forward, "forward");
  ir::verify(*split.backward, "backward");
  CHECK(split.saved.empty());  // a product's gradient reads arguments only

  const autodiff::Split loss = autodiff::split_gradient(*traced, "line", {"loss"}, {"w"});
  CHECK(loss.saved == std::vector<std::string>{"saved.e"});
  auto arguments = testing::random_arguments(*traced, 9);
  const auto forward = ops::evaluate(*loss.forward, testing::arguments_of(*loss.forward, *traced, arguments));
  CHECK(forward[0].as_double(0) == Approx(testing::scalar_result(*traced, [&] {
          arguments[5].set_integer(0, 1);
          return arguments;
        }())));
  const auto backward = ops::evaluate(
      *loss.backward,
      testing::arguments_of(*loss.backward, *traced, arguments,
                            {{"saved.e", forward[1]}, {"d.loss", ir::Literal::filled(DType::f64, {}, 2)}}));
  std::vector<double> expected = testing::numeric_gradient(*traced, arguments, 2);
  for (double& d : expected) d *= 2;
  testing::check_close(backward[0], expected, 1e-7);
}

TEST_CASE("a state is updated once", "[step][errors]") {
  const auto traced = testing::parse_one(kTraced);
  const auto twice = [](autodiff::UpdateContext& c) {
    c.update(c.parameters()[0], c.gradients()[0]);
    c.update(c.parameters()[0], c.gradients()[0]);
  };
  CHECK_THROWS_WITH(
      autodiff::build_step(*traced, {.name = "s", .loss = "loss", .metrics = {}, .trainable = {"w"}, .update = twice}),
      Catch::Contains("step: w (f64[3]) is updated twice"));
}

}  // namespace
}  // namespace pullback
