// Functions that the library has whole while an expression spells them out.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

TorchFunction function(const std::string& expression, std::string signature,
                       std::function<Value(const Arguments&)> call) {
  return {spelled_out(expression), std::move(signature), std::move(call)};
}

/// Output and the running statistics after the step, which PyTorch changes in place; with or without scale and shift.
TorchFunction batch_norm_step(const std::string& weight, const std::string& bias) {
  return function(
      "(lambda rm, rv: (lambda y: {'y': y, 'stat_running_mean': rm, 'stat_running_var': rv})"
      "(F.batch_norm(x, rm, rv, " +
          weight + ", " + bias + ", True, momentum, eps)))(running_mean.clone(), running_var.clone())",
      "x, running_mean, running_var, momentum, eps, w=None, b=None", [](const Arguments& a) {
        const BatchNormResult result =
            batch_norm_training(a.tensor("x"), a.tensor("running_mean"), a.tensor("running_var"),
                                a.optional_tensor("w"), a.optional_tensor("b"), a.number("momentum"), a.number("eps"));
        return list_of({result.output, result.running_mean, result.running_var});
      });
}

Tensor attention(const Arguments& a, bool causal) {
  return scaled_dot_product_attention(a.tensor("q"), a.tensor("k"), a.tensor("v"),
                                      {.causal = causal, .scale = a.number("scale")});
}

}  // namespace

std::string spelled_out(const std::string& expression) {
  return "= " + expression;
}

FunctionTable spelled_out_functions() {
  return {
      function("torch.where(x > 0, x, alpha * torch.expm1(x / alpha))", "x, alpha",
               [](const Arguments& a) { return celu(a.tensor("x"), a.number("alpha")); }),
      function("F.relu6(x + 3) / 6", "x", [](const Arguments& a) { return hardsigmoid(a.tensor("x")); }),
      function(
          "x + value * y * z", "x, y, z, value",
          [](const Arguments& a) { return addcmul(a.tensor("x"), a.tensor("y"), a.tensor("z"), a.number("value")); }),
      function("torch.clamp(1 - t * x, min=0).mean()", "x, t",
               [](const Arguments& a) { return hinge(a.tensor("x"), a.tensor("t")); }),
      function("x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * w", "x, w, eps",
               [](const Arguments& a) {
                 const Tensor x = a.tensor("x");
                 return rms_norm(x, {x.size(-1)}, a.tensor("w"), a.number("eps"));
               }),
      batch_norm_step("w", "b"),
      batch_norm_step("w", "None"),
      batch_norm_step("None", "None"),
      function("torch.softmax((q @ k.transpose(-2, -1)) * scale, -1) @ v", "q, k, v, scale",
               [](const Arguments& a) { return attention(a, false); }),
      function("torch.softmax((q @ k.transpose(-2, -1)) * scale + torch.full((q.shape[-2], k.shape[-2]), -inf, "
               "dtype=q.dtype).triu(1), -1) @ v",
               "q, k, v, scale", [](const Arguments& a) { return attention(a, true); }),
  };
}

}  // namespace pullback::golden
