// Losses: scalars to minimize, the mean over the batch unless said otherwise. Names, formulas and gradients at kinks
// are PyTorch's.
//
// Predictions and targets are floating tensors of one type and shape, where nothing else is said; Error names the
// shapes and the user's line when they don't fit. Weights are tensors that broadcast against the losses (where nothing
// else is said), or Tensor(): none.
#pragma once

#include <cstdint>

#include <pullback/tensor.h>

namespace pullback {

/// What becomes of the losses of single elements or examples. batch_mean: their sum divided by the size of the
/// prediction's first axis.
enum class Reduction : std::uint8_t { mean, sum, none, batch_mean };

// --- Distances ---
/// (prediction - target)^2.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean,
           SourceLocation where = SourceLocation::current());
/// |prediction - target|; the gradient at 0 is 0.
Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean,
          SourceLocation where = SourceLocation::current());
/// d^2 / (2 beta) for a distance d below `beta`, d - beta/2 beyond; with beta = 0 as l1 (Girshick 2015).
Tensor smooth_l1(const Tensor& prediction, const Tensor& target, double beta = 1, Reduction reduction = Reduction::mean,
                 SourceLocation where = SourceLocation::current());
/// Quadratic within `delta` of the target, linear beyond (Huber 1964).
Tensor huber(const Tensor& prediction, const Tensor& target, double delta = 1, Reduction reduction = Reduction::mean,
             SourceLocation where = SourceLocation::current());

// --- Likelihoods ---
struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;  ///< mean divides by the sum of the labels' weights
  Tensor weight = {};                     ///< of each class: [classes], the logits' dtype
  std::int64_t ignore_index = -100;       ///< examples with this label cost nothing and don't count
  double label_smoothing = 0;             ///< this share of each target is spread over all classes
  int class_axis = -1;                    ///< of the logits; PyTorch's is 1
};
/// -log softmax(logits)[label]: logits [..., classes] floating, labels [...] i32 or i64 (the logits' shape without the
/// class axis). A label outside 0..classes-1 that is not ignored fails the run with an Error. Labels of the logits' own
/// type and shape are probabilities of the classes: -sum(p * log softmax(logits)); their mean is over the examples,
/// whatever the weights.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options = {},
                     SourceLocation where = SourceLocation::current());
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Reduction reduction,
                     SourceLocation where = SourceLocation::current());

struct NllOptions {
  Reduction reduction = Reduction::mean;  ///< mean divides by the sum of the labels' weights
  Tensor weight = {};                     ///< of each class: [classes]
  std::int64_t ignore_index = -100;
  int class_axis = -1;  ///< of the log-probabilities; PyTorch's is 1
};
/// -log_probabilities[label], shapes and errors as cross_entropy's: what follows log_softmax.
Tensor nll(const Tensor& log_probabilities, const Tensor& labels, const NllOptions& options = {},
           SourceLocation where = SourceLocation::current());

/// -t log p - (1 - t) log(1 - p) for probabilities p; the logarithms are kept above -100 and p (1 - p) above 1e-12 in
/// the gradient, as PyTorch does. bce_with_logits() is exact instead.
Tensor bce(const Tensor& probabilities, const Tensor& targets, Reduction reduction = Reduction::mean,
           const Tensor& weight = {}, SourceLocation where = SourceLocation::current());

struct BceWithLogitsOptions {
  Reduction reduction = Reduction::mean;
  Tensor weight = {};
  Tensor pos_weight = {};  ///< multiplies the first term; broadcasts against the logits
};
/// -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), without overflow; targets are floats in [0, 1].
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, Reduction reduction = Reduction::mean,
                       SourceLocation where = SourceLocation::current());
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const BceWithLogitsOptions& options,
                       SourceLocation where = SourceLocation::current());

struct KlDivOptions {
  Reduction reduction = Reduction::mean;  ///< batch_mean is the divergence of distributions
  bool log_target = false;                ///< targets are log-probabilities too
};
/// t (log t - x) for log-probabilities x and probabilities t; 0 log 0 = 0 (Kullback and Leibler 1951).
Tensor kl_div(const Tensor& log_probabilities, const Tensor& targets, const KlDivOptions& options = {},
              SourceLocation where = SourceLocation::current());

struct GaussianNllOptions {
  Reduction reduction = Reduction::mean;
  bool full = false;  ///< adds log(2 pi) / 2
  double eps = 1e-6;  ///< variances are raised to this; their gradient does not notice
};
/// (log v + (x - t)^2 / v) / 2; variances broadcast against the prediction, or lack its last axis (Nix and Weigend
/// 1994). A negative variance fails the run with an Error.
Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    const GaussianNllOptions& options = {}, SourceLocation where = SourceLocation::current());

struct PoissonNllOptions {
  Reduction reduction = Reduction::mean;
  bool log_input = true;  ///< the prediction is the logarithm of the rate
  bool full = false;      ///< adds Stirling's approximation of log(t!), for t > 1
  double eps = 1e-8;      ///< added to a rate before its logarithm is taken
};
/// exp(x) - t x, or x - t log(x + eps) of rates.
Tensor poisson_nll(const Tensor& prediction, const Tensor& target, const PoissonNllOptions& options = {},
                   SourceLocation where = SourceLocation::current());

// --- Margins. Targets are 1 or -1 in the prediction's dtype, where no labels are taken ---
/// max(0, 1 - t x); the gradient at the kink is -t.
Tensor hinge(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean,
             SourceLocation where = SourceLocation::current());
/// log(1 + exp(-t x)).
Tensor soft_margin(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean,
                   SourceLocation where = SourceLocation::current());
/// x where the target is 1, max(0, margin - x) where it is -1.
Tensor hinge_embedding(const Tensor& x, const Tensor& target, double margin = 1, Reduction reduction = Reduction::mean,
                       SourceLocation where = SourceLocation::current());
/// max(0, -t (a - b) + margin): t says which of a and b should be larger.
Tensor margin_ranking(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0,
                      Reduction reduction = Reduction::mean, SourceLocation where = SourceLocation::current());
/// 1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) where it is -1: a, b [..., D], target [...].
Tensor cosine_embedding(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0,
                        Reduction reduction = Reduction::mean, SourceLocation where = SourceLocation::current());

struct MultiMarginOptions {
  Reduction reduction = Reduction::mean;
  int p = 1;  ///< 1 or 2
  double margin = 1;
  Tensor weight = {};  ///< of each class: [classes]
};
/// sum over i != y of max(0, margin - x[y] + x[i])^p * weight[y], divided by the number of classes: logits [..., C],
/// labels [...] (Crammer and Singer 2001). A label out of range fails the run with an Error.
Tensor multi_margin(const Tensor& logits, const Tensor& labels, const MultiMarginOptions& options = {},
                    SourceLocation where = SourceLocation::current());
/// The mean over the last axis of -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), targets 0 or 1; weight [classes].
Tensor multilabel_soft_margin(const Tensor& logits, const Tensor& targets, Reduction reduction = Reduction::mean,
                              const Tensor& weight = {}, SourceLocation where = SourceLocation::current());

struct TripletMarginOptions {
  Reduction reduction = Reduction::mean;
  double margin = 1;
  double p = 2;       ///< of the distance's norm
  double eps = 1e-6;  ///< added to the differences
  bool swap = false;  ///< the negative's distance is the smaller of those to anchor and positive
};
/// max(0, margin + |anchor - positive| - |anchor - negative|): equal shapes [..., D] (Balntas et al. 2016).
Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletMarginOptions& options = {}, SourceLocation where = SourceLocation::current());

}  // namespace pullback
