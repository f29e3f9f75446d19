// Activation functions, with PyTorch's names, defaults and gradients at kinks.
// All take floating tensors of any shape and throw Error, naming the op, the shapes and the user's line, when shapes or
// dtypes don't fit.
#pragma once

#include <cstdint>

#include <pullback/tensor.h>

namespace pullback {

// --- Piecewise linear ---
/// max(x, 0); relu'(0) = 0.
Tensor relu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// min(max(x, 0), 6); the gradient is 0 at both bounds.
Tensor relu6(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x above 0, negative_slope * x up to 0.
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01, SourceLocation where = SourceLocation::current());
/// leaky_relu with slopes from a tensor, a scalar or [1] for all or [C] for axis 1 of x (He et al. 2015).
Tensor prelu(const Tensor& x, const Tensor& weight, SourceLocation where = SourceLocation::current());
/// leaky_relu with a slope drawn from [lower, upper) for each element while training, their mean otherwise (Xu et al.
/// 2015).
Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3,
             SourceLocation where = SourceLocation::current());
/// x within [low, high], else the bound; the gradient is 1 between the bounds, 0 at and beyond them.
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1, SourceLocation where = SourceLocation::current());
/// relu6(x + 3) / 6.
Tensor hardsigmoid(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x * relu6(x + 3) / 6; the gradient at -3 and 3 is that of the parabola (Howard et al. 2019).
Tensor hardswish(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x beyond [-lambda, lambda], 0 within.
Tensor hardshrink(const Tensor& x, double lambda = 0.5, SourceLocation where = SourceLocation::current());
/// x moved towards 0 by lambda, 0 within [-lambda, lambda].
Tensor softshrink(const Tensor& x, double lambda = 0.5, SourceLocation where = SourceLocation::current());
/// x above `limit`, else `value`.
Tensor threshold(const Tensor& x, double limit, double value, SourceLocation where = SourceLocation::current());

// --- Exponential ---
/// x above 0, alpha * (exp(x) - 1) up to 0 (Clevert et al. 2015).
Tensor elu(const Tensor& x, double alpha = 1, SourceLocation where = SourceLocation::current());
/// x above 0, alpha * (exp(x / alpha) - 1) up to 0 (Barron 2017).
Tensor celu(const Tensor& x, double alpha = 1, SourceLocation where = SourceLocation::current());
/// 1.0507 * elu(x, 1.6733), which keeps mean 0 and variance 1 (Klambauer et al. 2017).
Tensor selu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// How gelu is computed: by erf, or by the tanh that comes close to it.
enum class Gelu : std::uint8_t { exact, tanh };
/// x * (1 + erf(x / sqrt 2)) / 2, or x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel 2016).
Tensor gelu(const Tensor& x, Gelu approximation, SourceLocation where = SourceLocation::current());
Tensor gelu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// 1 / (1 + exp(-x)), without overflow.
Tensor sigmoid(const Tensor& x, SourceLocation where = SourceLocation::current());
/// log(sigmoid(x)), without overflow.
Tensor logsigmoid(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x * sigmoid(x).
Tensor silu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// log(1 + exp(beta * x)) / beta, without overflow; x where beta * x is above `threshold`.
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20,
                SourceLocation where = SourceLocation::current());
/// x * tanh(log(1 + exp(x))) (Misra 2019).
Tensor mish(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x / (1 + |x|).
Tensor softsign(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x - tanh(x).
Tensor tanhshrink(const Tensor& x, SourceLocation where = SourceLocation::current());

// --- Gates: the first half of an axis times a function of the second; its size is even ---
/// a * sigmoid(b) (Dauphin et al. 2017).
Tensor glu(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());

// --- Along an axis; the maximum is subtracted first ---
Tensor softmax(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());
Tensor log_softmax(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());
/// softmax(-x).
Tensor softmin(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());

}  // namespace pullback
