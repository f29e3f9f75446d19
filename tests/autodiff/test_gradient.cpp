#include "compiler/autodiff/gradient.h"

#include <chrono>

#include "compiler/ir/builder.h"
#include "compiler/ops/build.h"
#include "compiler/ops/evaluate.h"
#include "tests/autodiff/derivative_testing.h"

namespace pullback {
namespace {

// loss = sum((tanh(x w1 + b1) w2)^2)
constexpr const char* kNetwork = R"(
func @net(%x: f64[4,3], state %w1: f64[3,5], state %b1: f64[5], state %w2: f64[5,2]) {
  %a: f64[4,5] = dot_general(%x, %w1) {contract = [1]x[0], batch = []x[]} loc("net.cpp":3, "fc1")
  %b: f64[4,5] = broadcast(%b1) {shape = shape[4,5], dimensions = [1]}
  %s: f64[4,5] = add(%a, %b) loc("net.cpp":3, "fc1")
  %h: f64[4,5] = tanh(%s) loc("net.cpp":4)
  %y: f64[4,2] = dot_general(%h, %w2) {contract = [1]x[0], batch = []x[]} loc("net.cpp":5)
  %q: f64[4,2] = mul(%y, %y) loc("net.cpp":6)
  %loss: f64[] = reduce_sum(%q) {axes = [0,1]} loc("net.cpp":6)
  return loss = %loss, h = %h
}
)";

TEST_CASE("gradients of a network agree with differences", "[gradient]") {
  testing::check_gradient(*testing::parse_one(kNetwork), {"x", "w1", "b1", "w2"});
}

TEST_CASE("a value that is read several times collects its gradients", "[gradient]") {
  testing::check_gradient(*testing::parse_one(R"(
func @f(%x: f64[3], %y: f64[3]) {
  %e: f64[3] = exp(%x)
  %a: f64[3] = mul(%e, %y)
  %b: f64[3] = mul(%e, %e)
  %c: f64[3] = add(%a, %b)
  %d: f64[3] = sub(%c, %x)
  %loss: f64[] = reduce_sum(%d) {axes = [0]}
  return loss = %loss
}
)"),
                          {"x", "y"});
}

TEST_CASE("gradient values have names, lines and their origin", "[gradient]") {
  const auto gradient = autodiff::gradient(*testing::parse_one(kNetwork), "loss", {"w1"}).function;
  const std::string text = ir::print(*gradient);
  INFO(text);
  CHECK(text.find("%d.h: f64[4,5]") != std::string::npos);
  CHECK(text.find("d.w1 = %d.w1") != std::string::npos);
  CHECK(text.find(R"(loc("net.cpp":3, "fc1", grad "dot_general"))") != std::string::npos);
  CHECK(text.find(R"(loc("net.cpp":4, grad "tanh"))") != std::string::npos);
}

TEST_CASE("only what was asked for is differentiated", "[gradient]") {
  const auto network = testing::parse_one(kNetwork);
  // The last layer's weights: its one product and h's forward product, no derivative of tanh.
  const auto gradient = autodiff::gradient(*network, "loss", {"w2"}).function;
  INFO(ir::print(*gradient));
  CHECK(testing::count(*gradient, "dot_general") == 3);
  CHECK(testing::count(*gradient, "sub") == 0);
}

TEST_CASE("a gradient within the graph", "[gradient]") {
  const auto network = testing::parse_one(kNetwork);
  ir::Builder builder(network->body);
  ir::Value* h = network->body.results[1];
  const std::vector<ir::Value*> d = autodiff::gradients(builder, network->body.results[0], std::vector{h});
  CHECK(d[0]->type == h->type);
  CHECK(d[0]->name == "d.h");
  CHECK(builder.location == ir::Location{});
}

TEST_CASE("what the loss does not depend on gets zeros and is reported", "[gradient]") {
  const auto function = testing::parse_one(R"(
func @f(%x: f64[2], state %unused: f64[2,2], state %stopped: f64[2]) {
  %s: f64[2] = stop_gradient(%stopped)
  %a: f64[2] = mul(%x, %s)
  %loss: f64[] = reduce_sum(%a) {axes = [0]}
  return loss = %loss
}
)");
  const autodiff::FunctionGradient gradient = autodiff::gradient(*function, "loss", {"unused", "x", "stopped"});
  CHECK(gradient.independent == std::vector<std::string>{"unused", "stopped"});
  const auto arguments = testing::random_arguments(*function, 1);
  const auto results =
      ops::evaluate(*gradient.function, testing::arguments_of(*gradient.function, *function, arguments));
  testing::check_close(results[0], {0, 0, 0, 0}, 0);
  testing::check_close(results[1], {arguments[2].as_double(0), arguments[2].as_double(1)}, 0);
  testing::check_close(results[2], {0, 0}, 0);
  CHECK(autodiff::independence_warning("fc3.w", "loss") == "fc3.w does not affect loss: its gradient is zero");
}

TEST_CASE("the gradient of a conditional is a conditional", "[gradient]") {
  const auto function = testing::parse_one(R"(
func @f(%p: bool[], %x: f64[3], %y: f64[3]) {
  %c: f64[3] = cond(%p, %x, %y) region(%a: f64[3], %b: f64[3]) {
    %m: f64[3] = mul(%a, %b)
    return %m
  } region(%a: f64[3], %b: f64[3]) {
    %e: f64[3] = exp(%a)
    return %e
  }
  %q: f64[3] = mul(%c, %c)
  %loss: f64[] = reduce_sum(%q) {axes = [0]}
  return loss = %loss
}
)");
  const auto gradient = autodiff::gradient(*function, "loss", {"x", "y"}).function;
  CHECK(testing::count(*gradient, "cond") == 2);
  for (const bool p : {false, true}) {
    auto arguments = testing::random_arguments(*function, 5);
    arguments[0].set_integer(0, p);
    const auto results = ops::evaluate(*gradient, testing::arguments_of(*gradient, *function, arguments));
    testing::check_close(results[0], testing::numeric_gradient(*function, arguments, 1), 1e-7);
    testing::check_close(results[1], testing::numeric_gradient(*function, arguments, 2), 1e-7);
  }
}

TEST_CASE("a composite is differentiated through its body, or by its own gradient", "[gradient]") {
  testing::check_gradient(*testing::parse_one(R"(
func @f(%x: f64[3]) {
  %c: f64[3] = composite(%x) {name = "square"} region(%a: f64[3]) {
    %m: f64[3] = mul(%a, %a)
    return %m
  }
  %loss: f64[] = reduce_sum(%c) {axes = [0]}
  return loss = %loss
}
)"),
                          {"x"});
  // Its own gradient, a deliberately different one: the cotangent times 7.
  const auto own = testing::parse_one(R"(
func @f(%x: f64[3]) {
  %c: f64[3] = composite(%x) {name = "square"} region(%a: f64[3]) {
    %m: f64[3] = mul(%a, %a)
    return %m
  } region(%a: f64[3], %r: f64[3], %d: f64[3]) {
    %s: f64[] = constant() {value = dense<f64[]: 7.0>}
    %t: f64[3] = broadcast(%s) {shape = shape[3], dimensions = []}
    %g: f64[3] = mul(%d, %t)
    return %g
  }
  %loss: f64[] = reduce_sum(%c) {axes = [0]}
  return loss = %loss
}
)");
  const auto gradient = autodiff::gradient(*own, "loss", {"x"}).function;
  const auto arguments = testing::random_arguments(*own, 2);
  testing::check_close(ops::evaluate(*gradient, testing::arguments_of(*gradient, *own, arguments))[0], {7, 7, 7}, 0);
}

TEST_CASE("mistakes are named", "[gradient][errors]") {
  const auto network = testing::parse_one(kNetwork);
  CHECK_THROWS_WITH(autodiff::gradient(*network, "h", {"w1"}),
                    "gradient: the loss is h (f64[4,5]), not a scalar: reduce it, with mean(loss) or sum(loss) "
                    "(net.cpp:4)");
  CHECK_THROWS_WITH(autodiff::gradient(*network, "lost", {"w1"}),
                    "gradient: net has no result lost; there are: loss, h");
  CHECK_THROWS_WITH(autodiff::gradient(*network, "loss", {"w3"}),
                    "gradient: net has no argument w3; there are: x, w1, b1, w2");

  const auto integers = testing::parse_one(R"(
func @f(%x: f64[3], %i: i32[3]) {
  %s: i32[] = reduce_sum(%i) {axes = [0]} loc("int.cpp":9)
  %c: f64[3] = convert(%i) {to = f64}
  %p: f64[3] = mul(%x, %c)
  %loss: f64[] = reduce_sum(%p) {axes = [0]}
  return loss = %loss, s = %s
}
)");
  CHECK_THROWS_WITH(autodiff::gradient(*integers, "loss", {"x", "i"}),
                    "gradient with respect to i (i32[3]): only floating tensors have gradients");
  CHECK_THROWS_WITH(autodiff::gradient(*integers, "s", {"x"}),
                    "gradient: the loss is s (i32[]): it must be floating; convert it with cast (int.cpp:9)");
}

TEST_CASE("long graphs are differentiated quickly", "[gradient]") {
  ir::Function function;
  function.name = "long";
  ir::Value* x = function.add_argument({DType::f64, {8}}, "x");
  ir::Builder builder(function.body);
  ops::Value y(builder, x);
  for (int i = 0; i < 2000; ++i) y = ops::tanh(y + ops::Value(builder, x));
  function.add_result(ops::reduce_sum(y, {0}).value, "loss");
  const auto begin = std::chrono::steady_clock::now();
  const auto gradient = autodiff::gradient(function, "loss", {"x"}).function;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  CHECK(seconds < 1);
  CHECK(gradient->body.ops.size() < 10 * function.body.ops.size());
}

}  // namespace
}  // namespace pullback
