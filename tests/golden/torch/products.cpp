// Matrix products and other contractions.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

/// beta * input + alpha * (first @ second).
Tensor added_product(const Arguments& a, const Tensor& first, const Tensor& second) {
  const auto scaled = [](const Tensor& x, double factor) { return factor == 1 ? x : x * factor; };
  const Tensor product = scaled(matmul(first, second), a.number("alpha"));
  return a.number("beta") == 0 ? product : scaled(a.tensor("input"), a.number("beta")) + product;
}

Tensor einsum_of(const Arguments& a) {
  return einsum(a.text("equation"), a.tensors("operands"));
}

}  // namespace

FunctionTable product_functions() {
  return {
      {"matmul|mm|bmm|mv|dot|inner", "input, other",
       [](const Arguments& a) { return matmul(a.tensor("input"), a.tensor("other")); }},
      {"addmm|addmv", "input, first, second, beta=1, alpha=1",
       [](const Arguments& a) { return added_product(a, a.tensor("first"), a.tensor("second")); }},
      {"baddbmm", "input, batch1, batch2, beta=1, alpha=1",
       [](const Arguments& a) { return added_product(a, a.tensor("batch1"), a.tensor("batch2")); }},
      {"outer|ger", "input, vec2",
       [](const Arguments& a) { return unsqueeze(a.tensor("input"), 1) * unsqueeze(a.tensor("vec2"), 0); }},
      {"linear", "input, weight, bias=None",
       [](const Arguments& a) { return linear(a.tensor("input"), a.tensor("weight"), a.optional_tensor("bias")); }},
      {"bilinear", "input1, input2, weight, bias=None",
       [](const Arguments& a) {
         return bilinear(a.tensor("input1"), a.tensor("input2"), a.tensor("weight"), a.optional_tensor("bias"));
       }},
      {"einsum", "equation, *operands", einsum_of},
  };
}

}  // namespace pullback::golden
