// Functions that rearrange: shapes change, numbers don't.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

namespace {

/// PyTorch leaves an axis alone whose size is not 1.
Tensor squeezed(const Arguments& a) {
  const Tensor x = a.tensor("input");
  if (!a.given("dim")) return squeeze(x);
  std::vector<int> axes;
  for (const std::int64_t dim : a.integers("dim"))
    if (x.size(static_cast<int>(dim)) == Dim(1)) axes.push_back(static_cast<int>(dim));
  return axes.empty() ? x : squeeze(x, axes);
}

}  // namespace

FunctionTable shape_functions() {
  return {
      {"flatten", "input, start_dim=0",
       [](const Arguments& a) { return flatten(a.tensor("input"), a.axis("start_dim")); }},
      {"reshape|view", "input, *shape",
       [](const Arguments& a) { return reshape(a.tensor("input"), a.shape("shape")); }},
      {"transpose|swapaxes", "input, dim0, dim1",
       [](const Arguments& a) { return transpose(a.tensor("input"), a.axis("dim0"), a.axis("dim1")); }},
      {"t", "input", [](const Arguments& a) { return transpose(a.tensor("input")); }},
      {"permute", "input, *dims", [](const Arguments& a) { return permute(a.tensor("input"), a.axes("dims")); }},
      {"squeeze", "input, dim=None", squeezed},
      {"unsqueeze", "input, dim", [](const Arguments& a) { return unsqueeze(a.tensor("input"), a.axis("dim")); }},
      {"expand|broadcast_to", "input, *shape",
       [](const Arguments& a) { return expand(a.tensor("input"), a.shape("shape")); }},
      {"cat|concat|concatenate", "tensors, dim=0",
       [](const Arguments& a) { return concat(a.tensors("tensors"), a.axis("dim")); }},
      {"stack", "tensors, dim=0", [](const Arguments& a) { return stack(a.tensors("tensors"), a.axis("dim")); }},
      {"flip", "input, *dims", [](const Arguments& a) { return flip(a.tensor("input"), a.axes("dims")); }},
  };
}

}  // namespace pullback::golden
