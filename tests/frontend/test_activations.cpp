// Activations: values, and PyTorch's gradients at kinks and far out.
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

TEST_CASE("gradients at the kinks of activations") {
  check_function([](const Tensor& x) { return relu(x); }, {-1, 0, 2}, {0, 0, 2}, {0, 0, 1});
  check_function([](const Tensor& x) { return relu6(x); }, {-1, 0, 2, 6, 7}, {0, 0, 2, 6, 6}, {0, 0, 1, 0, 0});
  check_function([](const Tensor& x) { return hardtanh(x, -2, 1); }, {-3, -2, 0, 1, 2}, {-2, -2, 0, 1, 1},
                 {0, 0, 1, 0, 0});
  check_function([](const Tensor& x) { return leaky_relu(x, 0.1); }, {-1, 0, 2}, {-0.1, 0, 2}, {0.1, 0.1, 1});
  check_function([](const Tensor& x) { return hardsigmoid(x); }, {-4, -3, 0, 3, 4}, {0, 0, 0.5, 1, 1},
                 {0, 0, 1.0 / 6, 0, 0});
  check_function([](const Tensor& x) { return hardswish(x); }, {-4, -3, 0, 3, 4}, {0, 0, 0, 3, 4},
                 {0, -0.5, 0.5, 1.5, 1});
  check_function([](const Tensor& x) { return hardshrink(x); }, {-1, -0.5, 0, 0.5, 1}, {-1, 0, 0, 0, 1},
                 {1, 0, 0, 0, 1});
  check_function([](const Tensor& x) { return softshrink(x); }, {-1, -0.5, 0, 0.5, 1}, {-0.5, 0, 0, 0, 0.5},
                 {1, 0, 0, 0, 1});
  check_function([](const Tensor& x) { return threshold(x, 1, 20); }, {0, 1, 2}, {20, 20, 2}, {0, 0, 1});
  check_function([](const Tensor& x) { return softsign(x); }, {-1, 0, 3}, {-0.5, 0, 0.75}, {0.25, 1, 1.0 / 16});
}

TEST_CASE("exponential activations are finite far out and smooth at 0") {
  const double e = std::exp(-1.0);
  check_function([](const Tensor& x) { return elu(x, 2); }, {-1, 0, 1, 1000, -1000}, {2 * (e - 1), 0, 1, 1000, -2},
                 {2 * e, 2, 1, 1, 0});
  check_function([](const Tensor& x) { return celu(x, 2); }, {-2, 0, 1, 1000}, {2 * (e - 1), 0, 1, 1000}, {e, 1, 1, 1});
  const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
  check_function([](const Tensor& x) { return selu(x); }, {-1, 0, 2}, {scale * alpha * (e - 1), 0, 2 * scale},
                 {scale * alpha * e, scale * alpha, scale});
  const double sigmoid1 = 1 / (1 + e), softplus1 = std::log1p(std::exp(1.0));
  check_function([](const Tensor& x) { return softplus(x); }, {-1000, 0, 1, 30, 1000},
                 {0, std::log(2.0), softplus1, 30, 1000}, {0, 0.5, sigmoid1, 1, 1});
  check_function([](const Tensor& x) { return softplus(x, 2, 2); }, {0.5, 1.5}, {softplus1 / 2, 1.5}, {sigmoid1, 1});
  check_function([](const Tensor& x) { return logsigmoid(x); }, {-1000, 0, -1, 1000},
                 {-1000, -std::log(2.0), -softplus1, 0}, {1, 0.5, sigmoid1, 0});
  const double t = std::tanh(softplus1);
  check_function([](const Tensor& x) { return mish(x); }, {-1000, 1, 1000}, {0, t, 1000},
                 {0, t + sigmoid1 * (1 - t * t), 1});
  check_function([](const Tensor& x) { return silu(x); }, {-1000, 0, 1000}, {0, 0, 1000}, {0, 0.5, 1});
}

TEST_CASE("GELU has an exact and a tanh form") {
  const double phi = 0.5 * (1 + std::erf(1 / std::sqrt(2.0)));
  const double density = std::exp(-0.5) / std::sqrt(2 * 3.14159265358979323846);
  check_function([](const Tensor& x) { return gelu(x); }, {0, 1, -30}, {0, phi, 0}, {0.5, phi + density, 0});
  const double inner = std::sqrt(2 / 3.14159265358979323846) * 1.044715;
  const Outcome approximate = differentiate({vector({0, 1})}, [](const auto& x) { return gelu(x[0], Gelu::tanh); });
  check_close(approximate.value, {0, 0.5 * (1 + std::tanh(inner))});
}

TEST_CASE("gates and slopes from tensors") {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const Outcome gate = differentiate({{{1, 4}, {1, 2, 3, 4}}}, [](const auto& x) { return glu(x[0]); });
  check_close(gate.value, {sigmoid(3), 2 * sigmoid(4)});
  check_close(gate.gradients[0],
              {sigmoid(3), sigmoid(4), sigmoid(3) * (1 - sigmoid(3)), 2 * sigmoid(4) * (1 - sigmoid(4))});
  const Outcome slopes =
      differentiate({{{1, 2, 2}, {-1, 2, -3, 0}}, vector({0.1, 0.2})}, [](const auto& x) { return prelu(x[0], x[1]); });
  check_close(slopes.value, {-0.1, 2, -0.6, 0});
  check_close(slopes.gradients[0], {0.1, 1, 0.2, 0.2});
  check_close(slopes.gradients[1], {-1, -3});
}

TEST_CASE("rrelu uses the mean slope outside of training") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {3});
  CHECK(values(g, rrelu(x, 0.25, 0.75), {{x, floats({-1, 0, 2}, {3})}}) == Numbers{-0.5, 0, 2});
}

TEST_CASE("softmax along any axis") {
  const double e = std::exp(1.0);
  const Outcome columns =
      differentiate({{{2, 2}, {0, 1000, 1, 1000}}}, [](const auto& x) { return softmax(x[0], 0) * x[0]; });
  check_close(columns.value, {0, 500, e / (1 + e), 500});
  check_close(differentiate({vector({0, 1})}, [](const auto& x) { return softmin(x[0]); }).value,
              {e / (1 + e), 1 / (1 + e)});
  check_close(differentiate({vector({-kInfinity, 1, 1})}, [](const auto& x) { return softmax(x[0]); }).value,
              {0, 0.5, 0.5});
  const Outcome logs = differentiate({vector({0, 1000})}, [](const auto& x) { return log_softmax(x[0]); });
  check_close(logs.value, {-1000, 0});
  check_close(logs.gradients[0], {1, -1});
}

TEST_CASE("activations reject what has no meaning") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 3});
  using Catch::Matchers::Contains;
  CHECK_THAT(error_of([&] { glu(x); }), Contains("glu: x is f32[2,3]: axis -1 has no halves"));
  CHECK_THAT(error_of([&] { hardtanh(x, 1, 1); }), Contains("hardtanh: low is 1 and high is 1"));
  CHECK_THAT(error_of([&] { softplus(x, 0); }), Contains("softplus: beta is 0"));
  CHECK_THAT(error_of([&] { prelu(x, g.constant(0, {2})); }), Contains("the weight is f32[2], x is f32[2,3]"));
  CHECK_THAT(error_of([&] { relu(cast(x, i32)); }), Contains("relu: the operand is i32[2,3]"));
}

}  // namespace pullback::test
