// Activation functions.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

using Unary = Tensor (*)(const Tensor&, SourceLocation);

TorchFunction plain(std::string names, Unary function) {
  return {std::move(names), "input, inplace=False",
          [function](const Arguments& a) { return function(a.tensor("input"), SourceLocation::current()); }};
}

using Along = Tensor (*)(const Tensor&, int, SourceLocation);

TorchFunction along_axis(std::string names, Along function) {
  return {std::move(names), "input, dim", [function](const Arguments& a) {
            return function(a.tensor("input"), a.axis("dim"), SourceLocation::current());
          }};
}

Gelu gelu_of(const Arguments& a) {
  const std::string& approximate = a.text("approximate");
  if (approximate == "none") return Gelu::exact;
  if (approximate == "tanh") return Gelu::tanh;
  a.fail("approximate", "is '" + approximate + "': it is not known");
}

/// What remains of random functions outside of training.
void require_no_training(const Arguments& a) {
  if (a.flag("training")) a.fail("training", "is True: random numbers can't be compared");
}

}  // namespace

FunctionTable activation_functions() {
  return {
      plain("relu", relu),
      plain("relu6", relu6),
      plain("selu", selu),
      plain("sigmoid|expit", sigmoid),
      plain("logsigmoid|log_sigmoid", logsigmoid),
      plain("silu", silu),
      plain("mish", mish),
      plain("tanh", tanh),
      plain("softsign", softsign),
      plain("tanhshrink", tanhshrink),
      plain("hardsigmoid", hardsigmoid),
      plain("hardswish", hardswish),
      {"leaky_relu", "input, negative_slope=0.01, inplace=False",
       [](const Arguments& a) { return leaky_relu(a.tensor("input"), a.number("negative_slope")); }},
      {"prelu", "input, weight", [](const Arguments& a) { return prelu(a.tensor("input"), a.tensor("weight")); }},
      {"rrelu", "input, lower=0.125, upper=0.3333333333333333, training=False, inplace=False",
       [](const Arguments& a) {
         require_no_training(a);
         return rrelu(a.tensor("input"), a.number("lower"), a.number("upper"));
       }},
      {"dropout", "input, p=0.5, training=True, inplace=False",
       [](const Arguments& a) {
         require_no_training(a);
         return dropout(a.tensor("input"), a.number("p"));
       }},
      {"hardtanh", "input, min_val=-1.0, max_val=1.0, inplace=False",
       [](const Arguments& a) { return hardtanh(a.tensor("input"), a.number("min_val"), a.number("max_val")); }},
      {"hardshrink", "input, lambd=0.5",
       [](const Arguments& a) { return hardshrink(a.tensor("input"), a.number("lambd")); }},
      {"softshrink", "input, lambd=0.5",
       [](const Arguments& a) { return softshrink(a.tensor("input"), a.number("lambd")); }},
      {"threshold", "input, threshold, value, inplace=False",
       [](const Arguments& a) { return threshold(a.tensor("input"), a.number("threshold"), a.number("value")); }},
      {"elu", "input, alpha=1.0, inplace=False",
       [](const Arguments& a) { return elu(a.tensor("input"), a.number("alpha")); }},
      {"celu", "input, alpha=1.0, inplace=False",
       [](const Arguments& a) { return celu(a.tensor("input"), a.number("alpha")); }},
      {"gelu", "input, approximate='none'", [](const Arguments& a) { return gelu(a.tensor("input"), gelu_of(a)); }},
      {"softplus", "input, beta=1, threshold=20",
       [](const Arguments& a) { return softplus(a.tensor("input"), a.number("beta"), a.number("threshold")); }},
      {"glu", "input, dim=-1", [](const Arguments& a) { return glu(a.tensor("input"), a.axis("dim")); }},
      along_axis("softmax", softmax),
      along_axis("softmin", softmin),
      along_axis("log_softmax", log_softmax),
  };
}

}  // namespace pullback::golden
