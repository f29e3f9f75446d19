// Optimizers by PyTorch's names and arguments. What says how PyTorch computes (foreach, fused, capturable,
// differentiable) has no meaning here.
#include <fmt/format.h>

#include "tests/golden/train/training.h"

namespace pullback::golden {
namespace {

struct OptimizerEntry {
  std::string name, signature;
  Optimizer (*make)(const Arguments&);
};

double beta(const Arguments& a, std::size_t i) {
  const List* betas = a.at("betas").list();
  if (!betas || betas->size() != 2 || !(*betas)[i].number()) a.fail("betas", "is " + a.at("betas").describe());
  return *(*betas)[i].number();
}

/// Options that all of Adam's family have.
template <class Options>
Options adam_like(const Arguments& a) {
  Options options;
  options.lr = a.number("lr");
  options.beta1 = beta(a, 0);
  options.beta2 = beta(a, 1);
  options.epsilon = a.number("eps");
  options.weight_decay = a.number("weight_decay");
  options.maximize = a.flag("maximize");
  return options;
}

template <class Options>
Optimizer adam(const Arguments& a) {
  auto options = adam_like<Options>(a);
  options.amsgrad = a.flag("amsgrad");
  return options;
}

void reject_decoupled(const Arguments& a) {
  if (a.flag("decoupled_weight_decay")) a.fail("decoupled_weight_decay", "is not known");
}

std::vector<OptimizerEntry> optimizers() {
  const std::string common =
      "weight_decay=0, maximize=False, foreach=None, capturable=False, differentiable=False, fused=None";
  return {
      {"SGD", "lr, momentum=0, dampening=0, nesterov=False, " + common,
       [](const Arguments& a) -> Optimizer {
         return SGD{.lr = a.number("lr"),
                    .momentum = a.number("momentum"),
                    .dampening = a.number("dampening"),
                    .weight_decay = a.number("weight_decay"),
                    .nesterov = a.flag("nesterov"),
                    .maximize = a.flag("maximize")};
       }},
      {"Adam", "lr=1e-3, betas=[0.9, 0.999], eps=1e-8, amsgrad=False, " + common, adam<Adam>},
      {"AdamW",
       "lr=1e-3, betas=[0.9, 0.999], eps=1e-8, weight_decay=1e-2, amsgrad=False, maximize=False, foreach=None, "
       "capturable=False, differentiable=False, fused=None",
       adam<AdamW>},
      {"RMSprop", "lr=1e-2, alpha=0.99, eps=1e-8, momentum=0, centered=False, " + common,
       [](const Arguments& a) -> Optimizer {
         return RMSprop{.lr = a.number("lr"),
                        .alpha = a.number("alpha"),
                        .epsilon = a.number("eps"),
                        .weight_decay = a.number("weight_decay"),
                        .momentum = a.number("momentum"),
                        .centered = a.flag("centered"),
                        .maximize = a.flag("maximize")};
       }},
      {"Adagrad", "lr=1e-2, lr_decay=0, initial_accumulator_value=0, eps=1e-10, " + common,
       [](const Arguments& a) -> Optimizer {
         return Adagrad{.lr = a.number("lr"),
                        .lr_decay = a.number("lr_decay"),
                        .weight_decay = a.number("weight_decay"),
                        .initial_accumulator_value = a.number("initial_accumulator_value"),
                        .epsilon = a.number("eps"),
                        .maximize = a.flag("maximize")};
       }},
      {"Adadelta", "lr=1.0, rho=0.9, eps=1e-6, " + common,
       [](const Arguments& a) -> Optimizer {
         return Adadelta{.lr = a.number("lr"),
                         .rho = a.number("rho"),
                         .epsilon = a.number("eps"),
                         .weight_decay = a.number("weight_decay"),
                         .maximize = a.flag("maximize")};
       }},
      {"Adamax", "lr=2e-3, betas=[0.9, 0.999], eps=1e-8, " + common,
       [](const Arguments& a) -> Optimizer { return adam_like<Adamax>(a); }},
      {"NAdam",
       "lr=2e-3, betas=[0.9, 0.999], eps=1e-8, momentum_decay=4e-3, "
       "decoupled_weight_decay=False, " +
           common,
       [](const Arguments& a) -> Optimizer {
         reject_decoupled(a);
         auto options = adam_like<NAdam>(a);
         options.momentum_decay = a.number("momentum_decay");
         return options;
       }},
      {"RAdam", "lr=1e-3, betas=[0.9, 0.999], eps=1e-8, decoupled_weight_decay=False, " + common,
       [](const Arguments& a) -> Optimizer {
         reject_decoupled(a);
         return adam_like<RAdam>(a);
       }},
  };
}

}  // namespace

Optimizer build_optimizer(const std::string& name, const Attributes& attributes, const Context& context) {
  for (const OptimizerEntry& entry : optimizers())
    if (name == entry.name) return entry.make(bind_arguments(context, name, entry.signature, {}, attributes));
  throw Error(fmt::format("there is no optimizer {}", name));
}

}  // namespace pullback::golden
