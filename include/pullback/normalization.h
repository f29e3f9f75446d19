// Normalization with given scales, shifts and running statistics. Layers that own them are in nn.h.
//
// `weight` and `bias` may be left undefined: Tensor(). All functions take floating tensors and throw Error, naming the
// shapes and the user's line, when these don't fit.
#pragma once

#include <optional>

#include <pullback/tensor.h>

namespace pullback {

struct BatchNormOptions {
  /// Share of the batch's statistics in the new running ones; nothing: their plain average over all batches so far,
  /// for which `batches` counts.
  std::optional<double> momentum = 0.1;
  double eps = 1e-5;
  /// An i64 scalar variable that counts training steps; needed when there is no momentum.
  Tensor batches = {};
};

/// Channels are axis 1 of x [N,C,...]; each is brought to mean 0 and variance 1 over all other axes, then scaled and
/// shifted (Ioffe and Szegedy 2015). While training, the statistics are the batch's and the running ones move towards
/// them, the variance with Bessel's correction; else the running ones are used.
/// running_mean, running_var: variables [C] (Graph::variable; 0 and 1 at first), or both undefined: the batch's
/// statistics always. weight, bias [C].
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, const BatchNormOptions& options = {},
                  SourceLocation where = SourceLocation::current());

/// What a training step of batch normalization computes.
struct BatchNormResult {
  Tensor output;                     ///< as x
  Tensor running_mean, running_var;  ///< [C]: the statistics after the step; undefined without those before
};
/// batch_norm as in training, without a graph's variables: running statistics [C] are any tensors.
BatchNormResult batch_norm_training(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                                    const Tensor& weight = {}, const Tensor& bias = {}, double momentum = 0.1,
                                    double eps = 1e-5, SourceLocation where = SourceLocation::current());
/// batch_norm as outside of training: (x - mean) / sqrt(var + eps) * weight + bias, all [C].
Tensor batch_norm_inference(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                            const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5,
                            SourceLocation where = SourceLocation::current());

/// Each channel of each example of x [N,C,...] by itself, over the axes after them (Ulyanov et al. 2016); weight and
/// bias [C].
Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5,
                     SourceLocation where = SourceLocation::current());
/// With running statistics, variables [C], which move towards the examples' average while training and are used
/// outside of it.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                     const Tensor& bias, const BatchNormOptions& options = {},
                     SourceLocation where = SourceLocation::current());

/// The channels of x [N,C,...] in `groups` groups of neighbours, each group of each example by itself (Wu and He
/// 2018); weight and bias [C]. `groups` divides C.
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5, SourceLocation where = SourceLocation::current());

/// Over the last axes, whose sizes are `normalized_shape` (Ba et al. 2016); weight and bias have that shape.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5, SourceLocation where = SourceLocation::current());

/// x / sqrt(mean(x^2) + eps) * weight over the last axes, whose sizes are `normalized_shape` (Zhang and Sennrich 2019).
/// The default eps is the distance from 1 to the next number of the dtype, as PyTorch's.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = {}, SourceLocation where = SourceLocation::current());

/// x / (k + alpha/size * sum of x^2 over `size` neighbouring channels)^beta; channels are axis 1 of x [N,C,...], beyond
/// the first and the last there are zeros (Krizhevsky et al. 2012). Of an even window the longer half comes first.
Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1,
                           SourceLocation where = SourceLocation::current());

}  // namespace pullback
