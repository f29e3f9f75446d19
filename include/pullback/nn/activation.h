// Activation functions as layers; see activations.h for the formulas. Only PReLU has a parameter.
#pragma once

#include <pullback/activations.h>
#include <pullback/nn/containers.h>

namespace pullback::nn {

// --- Piecewise linear ---
struct ReLU : Lambda {
  ReLU();
};
struct ReLU6 : Lambda {
  ReLU6();
};
struct LeakyReLU : Lambda {
  explicit LeakyReLU(double negative_slope = 0.01);
};
/// Slopes below 0 drawn from [lower, upper) while training.
struct RReLU : Lambda {
  explicit RReLU(double lower = 1.0 / 8, double upper = 1.0 / 3);
};
struct Hardtanh : Lambda {
  explicit Hardtanh(double min_val = -1, double max_val = 1);
};
struct Hardsigmoid : Lambda {
  Hardsigmoid();
};
struct Hardswish : Lambda {
  Hardswish();
};
struct Hardshrink : Lambda {
  explicit Hardshrink(double lambda = 0.5);
};
struct Softshrink : Lambda {
  explicit Softshrink(double lambda = 0.5);
};
struct Threshold : Lambda {
  Threshold(double threshold, double value);
};

/// max(x, 0) + w * min(x, 0). Parameter: w [count], as PyTorch's weight: one for all, or one for each channel, which
/// are axis 1 of x.
class PReLU : public Module {
 public:
  explicit PReLU(std::int64_t count = 1, double init = 0.25, SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;
};

// --- Exponential ---
struct ELU : Lambda {
  explicit ELU(double alpha = 1);
};
struct CELU : Lambda {
  explicit CELU(double alpha = 1);
};
struct SELU : Lambda {
  SELU();
};
struct GELU : Lambda {
  explicit GELU(Gelu approximate = Gelu::exact);
};
struct Sigmoid : Lambda {
  Sigmoid();
};
struct LogSigmoid : Lambda {
  LogSigmoid();
};
struct SiLU : Lambda {
  SiLU();
};
struct Softplus : Lambda {
  explicit Softplus(double beta = 1, double threshold = 20);
};
struct Mish : Lambda {
  Mish();
};
struct Softsign : Lambda {
  Softsign();
};
struct Tanh : Lambda {
  Tanh();
};
struct Tanhshrink : Lambda {
  Tanhshrink();
};

// --- Along the axis `dim` ---
struct GLU : Lambda {
  explicit GLU(int dim = -1);
};
struct Softmax : Lambda {
  explicit Softmax(int dim = -1);
};
struct LogSoftmax : Lambda {
  explicit LogSoftmax(int dim = -1);
};
struct Softmin : Lambda {
  explicit Softmin(int dim = -1);
};

}  // namespace pullback::nn
