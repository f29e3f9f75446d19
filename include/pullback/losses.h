// Losses: scalars to minimize, the mean over the batch unless said otherwise.
#pragma once

#include <pullback/tensor.h>

namespace pullback {

enum class Reduction : std::uint8_t { mean, sum, none };

/// -log softmax(logits)[label]: logits [..., classes] floating, labels [...] i32 or i64. A label outside
/// 0..classes-1 fails the run with an Error.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Reduction reduction = Reduction::mean,
                     SourceLocation where = SourceLocation::current());
/// (prediction - target)^2.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean,
           SourceLocation where = SourceLocation::current());
/// |prediction - target|; the gradient at 0 is 0.
Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean,
          SourceLocation where = SourceLocation::current());
/// Quadratic within `delta` of the target, linear beyond (Huber 1964).
Tensor huber(const Tensor& prediction, const Tensor& target, double delta = 1, Reduction reduction = Reduction::mean,
             SourceLocation where = SourceLocation::current());
/// -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), without overflow; targets are floats in [0, 1].
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, Reduction reduction = Reduction::mean,
                       SourceLocation where = SourceLocation::current());

}  // namespace pullback
