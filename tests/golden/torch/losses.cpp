// Losses. size_average and reduce, which reduction replaced, are accepted as None alone.
#include <map>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

Reduction reduction_of(const Arguments& a) {
  static const std::map<std::string, Reduction> known = {{"mean", Reduction::mean},
                                                         {"sum", Reduction::sum},
                                                         {"none", Reduction::none},
                                                         {"batchmean", Reduction::batch_mean}};
  const auto found = known.find(a.text("reduction"));
  if (found == known.end()) a.fail("reduction", "is '" + a.text("reduction") + "': it is not known");
  for (const char* replaced : {"size_average", "reduce"})
    if (a.given(replaced)) a.fail(replaced, "is replaced by reduction");
  return found->second;
}

const char* const kOld = ", size_average=None, reduce=None, reduction='mean'";

using Distance = Tensor (*)(const Tensor&, const Tensor&, Reduction, SourceLocation);

TorchFunction distance(std::string names, Distance function) {
  return {std::move(names), std::string("input, target") + kOld, [function](const Arguments& a) {
            return function(a.tensor("input"), a.tensor("target"), reduction_of(a), SourceLocation::current());
          }};
}

/// PyTorch's axis of classes: the second, or the only one.
int class_axis(const Tensor& input) {
  return input.rank() > 1 ? 1 : 0;
}

Tensor cross_entropy_of(const Arguments& a) {
  const Tensor input = a.tensor("input");
  return cross_entropy(input, a.tensor("target"),
                       {.reduction = reduction_of(a),
                        .weight = a.optional_tensor("weight"),
                        .ignore_index = a.integer("ignore_index"),
                        .label_smoothing = a.number("label_smoothing"),
                        .class_axis = class_axis(input)});
}

Tensor nll_of(const Arguments& a) {
  const Tensor input = a.tensor("input");
  return nll(input, a.tensor("target"),
             {.reduction = reduction_of(a),
              .weight = a.optional_tensor("weight"),
              .ignore_index = a.integer("ignore_index"),
              .class_axis = class_axis(input)});
}

Tensor triplet_margin_of(const Arguments& a) {
  return triplet_margin(a.tensor("anchor"), a.tensor("positive"), a.tensor("negative"),
                        {.reduction = reduction_of(a),
                         .margin = a.number("margin"),
                         .p = a.number("p"),
                         .eps = a.number("eps"),
                         .swap = a.flag("swap")});
}

FunctionTable distances() {
  const std::string old = kOld;
  return {
      distance("mse_loss", mse),
      distance("l1_loss", l1),
      {"smooth_l1_loss", "input, target" + old + ", beta=1.0",
       [](const Arguments& a) {
         return smooth_l1(a.tensor("input"), a.tensor("target"), a.number("beta"), reduction_of(a));
       }},
      {"huber_loss", "input, target, reduction='mean', delta=1.0, size_average=None, reduce=None",
       [](const Arguments& a) {
         return huber(a.tensor("input"), a.tensor("target"), a.number("delta"), reduction_of(a));
       }},
  };
}

FunctionTable likelihoods() {
  const std::string old = kOld;
  return {
      {"cross_entropy",
       "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', "
       "label_smoothing=0.0",
       cross_entropy_of},
      {"nll_loss", "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
       nll_of},
      {"binary_cross_entropy", "input, target, weight=None" + old,
       [](const Arguments& a) {
         return bce(a.tensor("input"), a.tensor("target"), reduction_of(a), a.optional_tensor("weight"));
       }},
      {"binary_cross_entropy_with_logits", "input, target, weight=None" + old + ", pos_weight=None",
       [](const Arguments& a) {
         return bce_with_logits(a.tensor("input"), a.tensor("target"),
                                BceWithLogitsOptions{.reduction = reduction_of(a),
                                                     .weight = a.optional_tensor("weight"),
                                                     .pos_weight = a.optional_tensor("pos_weight")});
       }},
      {"kl_div", "input, target" + old + ", log_target=False",
       [](const Arguments& a) {
         return kl_div(a.tensor("input"), a.tensor("target"),
                       {.reduction = reduction_of(a), .log_target = a.flag("log_target")});
       }},
      {"gaussian_nll_loss",
       "input, target, var, full=False, eps=1e-6, reduction='mean', size_average=None, reduce=None",
       [](const Arguments& a) {
         return gaussian_nll(a.tensor("input"), a.tensor("target"), a.tensor("var"),
                             {.reduction = reduction_of(a), .full = a.flag("full"), .eps = a.number("eps")});
       }},
      {"poisson_nll_loss",
       "input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction='mean'",
       [](const Arguments& a) {
         return poisson_nll(a.tensor("input"), a.tensor("target"),
                            {.reduction = reduction_of(a),
                             .log_input = a.flag("log_input"),
                             .full = a.flag("full"),
                             .eps = a.number("eps")});
       }},
  };
}

FunctionTable margins() {
  const std::string old = kOld;
  return {
      distance("soft_margin_loss", soft_margin),
      {"hinge_embedding_loss", "input, target, margin=1.0" + old,
       [](const Arguments& a) {
         return hinge_embedding(a.tensor("input"), a.tensor("target"), a.number("margin"), reduction_of(a));
       }},
      {"margin_ranking_loss", "input1, input2, target, margin=0" + old,
       [](const Arguments& a) {
         return margin_ranking(a.tensor("input1"), a.tensor("input2"), a.tensor("target"), a.number("margin"),
                               reduction_of(a));
       }},
      {"cosine_embedding_loss", "input1, input2, target, margin=0" + old,
       [](const Arguments& a) {
         return cosine_embedding(a.tensor("input1"), a.tensor("input2"), a.tensor("target"), a.number("margin"),
                                 reduction_of(a));
       }},
      {"multi_margin_loss", "input, target, p=1, margin=1.0, weight=None" + old,
       [](const Arguments& a) {
         return multi_margin(a.tensor("input"), a.tensor("target"),
                             {.reduction = reduction_of(a),
                              .p = static_cast<int>(a.integer("p")),
                              .margin = a.number("margin"),
                              .weight = a.optional_tensor("weight")});
       }},
      {"multilabel_soft_margin_loss", "input, target, weight=None" + old,
       [](const Arguments& a) {
         return multilabel_soft_margin(a.tensor("input"), a.tensor("target"), reduction_of(a),
                                       a.optional_tensor("weight"));
       }},
      {"triplet_margin_loss", "anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False" + old,
       triplet_margin_of},
  };
}

}  // namespace

FunctionTable loss_functions() {
  FunctionTable all = distances();
  for (const FunctionTable& more : {likelihoods(), margins()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace pullback::golden
