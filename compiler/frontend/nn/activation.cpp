// Activation functions as layers.
#include <pullback/nn/activation.h>

#include <fmt/format.h>

#include <pullback/elementwise.h>

namespace pullback::nn {

ReLU::ReLU() : Lambda([](const Tensor& x) { return relu(x); }, "ReLU") {}
GELU::GELU() : Lambda([](const Tensor& x) { return gelu(x); }, "GELU") {}
Sigmoid::Sigmoid() : Lambda([](const Tensor& x) { return sigmoid(x); }, "Sigmoid") {}
SiLU::SiLU() : Lambda([](const Tensor& x) { return silu(x); }, "SiLU") {}
Tanh::Tanh() : Lambda([](const Tensor& x) { return tanh(x); }, "Tanh") {}
Softmax::Softmax(int dim)
    : Lambda([dim](const Tensor& x) { return softmax(x, dim); }, "Softmax", fmt::format("Softmax({})", dim)) {}

}  // namespace pullback::nn
