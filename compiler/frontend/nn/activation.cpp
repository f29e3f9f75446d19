// Activation functions as layers.
#include <pullback/nn/activation.h>

#include <fmt/format.h>

#include <pullback/elementwise.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

// "ELU(1.5)".
template <class... Numbers>
static std::string with(const char* layer, Numbers... numbers) {
  const double list[] = {static_cast<double>(numbers)...};
  return fmt::format("{}({})", layer, fmt::join(list, ", "));
}

ReLU::ReLU() : Lambda([](const Tensor& x) { return relu(x); }, "ReLU") {}
ReLU6::ReLU6() : Lambda([](const Tensor& x) { return relu6(x); }, "ReLU6") {}
LeakyReLU::LeakyReLU(double negative_slope)
    : Lambda([=](const Tensor& x) { return leaky_relu(x, negative_slope); }, "LeakyReLU",
             with("LeakyReLU", negative_slope)) {}
RReLU::RReLU(double lower, double upper)
    : Lambda([=](const Tensor& x) { return rrelu(x, lower, upper); }, "RReLU", with("RReLU", lower, upper)) {}
Hardtanh::Hardtanh(double min_val, double max_val)
    : Lambda([=](const Tensor& x) { return hardtanh(x, min_val, max_val); }, "Hardtanh",
             with("Hardtanh", min_val, max_val)) {}
Hardsigmoid::Hardsigmoid() : Lambda([](const Tensor& x) { return hardsigmoid(x); }, "Hardsigmoid") {}
Hardswish::Hardswish() : Lambda([](const Tensor& x) { return hardswish(x); }, "Hardswish") {}
Hardshrink::Hardshrink(double lambda)
    : Lambda([=](const Tensor& x) { return hardshrink(x, lambda); }, "Hardshrink", with("Hardshrink", lambda)) {}
Softshrink::Softshrink(double lambda)
    : Lambda([=](const Tensor& x) { return softshrink(x, lambda); }, "Softshrink", with("Softshrink", lambda)) {}
Threshold::Threshold(double threshold, double value)
    : Lambda([=](const Tensor& x) { return pullback::threshold(x, threshold, value); }, "Threshold",
             with("Threshold", threshold, value)) {}

PReLU::PReLU(std::int64_t count, double init, SourceLocation where)
    : Module(Layer{"PReLU", fmt::format("PReLU({})", count)}) {
  require_at_least("PReLU", "count", count, 1, where);
  register_parameter("w", {count}, Initializer::constant(init));
}

Tensor PReLU::forward(const Tensor& x) const {
  const Tensor w = parameter("w");
  if (w.size(0) != Dim(1)) {
    require_rank(label(), x, 2, x.rank(), "[N,C,...]");
    require_size(label(), x, 1, w.size(0).constant(), "count");
  }
  return prelu(x, w);
}

ELU::ELU(double alpha) : Lambda([=](const Tensor& x) { return elu(x, alpha); }, "ELU", with("ELU", alpha)) {}
CELU::CELU(double alpha) : Lambda([=](const Tensor& x) { return celu(x, alpha); }, "CELU", with("CELU", alpha)) {}
SELU::SELU() : Lambda([](const Tensor& x) { return selu(x); }, "SELU") {}
GELU::GELU(Gelu approximate)
    : Lambda([=](const Tensor& x) { return gelu(x, approximate); }, "GELU",
             approximate == Gelu::tanh ? "GELU(tanh)" : "GELU") {}
Sigmoid::Sigmoid() : Lambda([](const Tensor& x) { return sigmoid(x); }, "Sigmoid") {}
LogSigmoid::LogSigmoid() : Lambda([](const Tensor& x) { return logsigmoid(x); }, "LogSigmoid") {}
SiLU::SiLU() : Lambda([](const Tensor& x) { return silu(x); }, "SiLU") {}
Softplus::Softplus(double beta, double threshold)
    : Lambda([=](const Tensor& x) { return softplus(x, beta, threshold); }, "Softplus",
             with("Softplus", beta, threshold)) {}
Mish::Mish() : Lambda([](const Tensor& x) { return mish(x); }, "Mish") {}
Softsign::Softsign() : Lambda([](const Tensor& x) { return softsign(x); }, "Softsign") {}
Tanh::Tanh() : Lambda([](const Tensor& x) { return tanh(x); }, "Tanh") {}
Tanhshrink::Tanhshrink() : Lambda([](const Tensor& x) { return tanhshrink(x); }, "Tanhshrink") {}

GLU::GLU(int dim) : Lambda([=](const Tensor& x) { return glu(x, dim); }, "GLU", with("GLU", dim)) {}
Softmax::Softmax(int dim) : Lambda([=](const Tensor& x) { return softmax(x, dim); }, "Softmax", with("Softmax", dim)) {}
LogSoftmax::LogSoftmax(int dim)
    : Lambda([=](const Tensor& x) { return log_softmax(x, dim); }, "LogSoftmax", with("LogSoftmax", dim)) {}
Softmin::Softmin(int dim) : Lambda([=](const Tensor& x) { return softmin(x, dim); }, "Softmin", with("Softmin", dim)) {}

}  // namespace pullback::nn
