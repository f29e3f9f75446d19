// Functions that rearrange: shapes change, numbers don't.
#include <numeric>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

/// torch.roll without axes rolls all elements in their order.
Tensor rolled(const Arguments& a) {
  const Tensor x = a.tensor("input");
  if (a.given("dims")) return roll(x, a.integers("shifts"), a.axes("dims"));
  return reshape(roll(reshape(x, {-1}), a.integers("shifts"), 0), x.shape());
}

/// PyTorch leaves an axis alone whose size is not 1.
Tensor squeezed(const Arguments& a) {
  const Tensor x = a.tensor("input");
  if (!a.given("dim")) return squeeze(x);
  std::vector<int> axes;
  for (const std::int64_t dim : a.integers("dim"))
    if (x.size(static_cast<int>(dim)) == Dim(1)) axes.push_back(static_cast<int>(dim));
  return axes.empty() ? x : squeeze(x, axes);
}

Value parts(const Arguments& a) {
  const Tensor x = a.tensor("input");
  if (a.at("split_size_or_sections").list())
    return list_of(split(x, a.integers("split_size_or_sections"), a.axis("dim")));
  return list_of(split(x, a.integer("split_size_or_sections"), a.axis("dim")));
}

Value grid(const Arguments& a) {
  if (a.text("indexing") != "ij") a.fail("indexing", "is not 'ij'");
  return list_of(meshgrid(a.tensors("tensors")));
}

Tensor reversed(const Tensor& x) {
  std::vector<int> axes(x.rank());
  std::iota(axes.rbegin(), axes.rend(), 0);
  return permute(x, axes);
}

}  // namespace

FunctionTable shape_functions() {
  return {
      {"reshape|view", "input, *shape",
       [](const Arguments& a) { return reshape(a.tensor("input"), a.shape("shape")); }},
      {"reshape_as|view_as", "input, other",
       [](const Arguments& a) { return reshape(a.tensor("input"), a.tensor("other").shape()); }},
      {"flatten", "input, start_dim=0, end_dim=-1",
       [](const Arguments& a) { return flatten(a.tensor("input"), a.axis("start_dim"), a.axis("end_dim")); }},
      {"ravel", "input", [](const Arguments& a) { return reshape(a.tensor("input"), {-1}); }},
      {"unflatten", "input, dim, sizes",
       [](const Arguments& a) { return unflatten(a.tensor("input"), a.axis("dim"), a.shape("sizes")); }},
      {"squeeze", "input, dim=None", squeezed},
      {"unsqueeze", "input, dim", [](const Arguments& a) { return unsqueeze(a.tensor("input"), a.axis("dim")); }},

      {"transpose|swapaxes|swapdims", "input, dim0, dim1",
       [](const Arguments& a) { return transpose(a.tensor("input"), a.axis("dim0"), a.axis("dim1")); }},
      {"t", "input", [](const Arguments& a) { return reversed(a.tensor("input")); }},
      {"permute", "input, *dims", [](const Arguments& a) { return permute(a.tensor("input"), a.axes("dims")); }},
      {"movedim|moveaxis", "input, source, destination",
       [](const Arguments& a) { return movedim(a.tensor("input"), a.axes("source"), a.axes("destination")); }},
      {"flip", "input, *dims", [](const Arguments& a) { return flip(a.tensor("input"), a.axes("dims")); }},
      {"fliplr", "input", [](const Arguments& a) { return flip(a.tensor("input"), 1); }},
      {"flipud", "input", [](const Arguments& a) { return flip(a.tensor("input"), 0); }},
      {"roll", "input, shifts, dims=None", rolled},
      {"rot90", "input, k=1, dims=[0, 1]",
       [](const Arguments& a) {
         const std::vector<std::int64_t> axes = a.integers("dims", 2);
         return rot90(a.tensor("input"), static_cast<int>(a.integer("k")), static_cast<int>(axes[0]),
                      static_cast<int>(axes[1]));
       }},

      {"expand|broadcast_to", "input, *shape",
       [](const Arguments& a) { return expand(a.tensor("input"), a.shape("shape")); }},
      {"expand_as", "input, other",
       [](const Arguments& a) { return expand(a.tensor("input"), a.tensor("other").shape()); }},
      {"repeat|tile", "input, *repeats",
       [](const Arguments& a) { return repeat(a.tensor("input"), a.integers("repeats")); }},
      {"repeat_interleave", "input, repeats, dim=None",
       [](const Arguments& a) {
         const Tensor x = a.given("dim") ? a.tensor("input") : reshape(a.tensor("input"), {-1});
         return repeat_interleave(x, a.integer("repeats"), a.given("dim") ? a.axis("dim") : 0);
       }},
      {"meshgrid", "*tensors, indexing='ij'", grid},

      {"cat|concat|concatenate", "tensors, dim=0",
       [](const Arguments& a) { return concat(a.tensors("tensors"), a.axis("dim")); }},
      {"stack", "tensors, dim=0", [](const Arguments& a) { return stack(a.tensors("tensors"), a.axis("dim")); }},
      {"split|split_with_sizes", "input, split_size_or_sections, dim=0", parts},
      {"chunk", "input, chunks, dim=0",
       [](const Arguments& a) {
         return list_of(chunk(a.tensor("input"), static_cast<int>(a.integer("chunks")), a.axis("dim")));
       }},
      {"unbind", "input, dim=0", [](const Arguments& a) { return list_of(unbind(a.tensor("input"), a.axis("dim"))); }},

      {"tril", "input, diagonal=0", [](const Arguments& a) { return tril(a.tensor("input"), a.integer("diagonal")); }},
      {"triu", "input, diagonal=0", [](const Arguments& a) { return triu(a.tensor("input"), a.integer("diagonal")); }},
      {"diagonal", "input, offset=0, dim1=0, dim2=1",
       [](const Arguments& a) {
         return diagonal(a.tensor("input"), a.integer("offset"), a.axis("dim1"), a.axis("dim2"));
       }},
      {"diag_embed", "input, offset=0, dim1=-2, dim2=-1",
       [](const Arguments& a) {
         return diag_embed(a.tensor("input"), a.integer("offset"), a.axis("dim1"), a.axis("dim2"));
       }},
      {"diag", "input, diagonal=0", [](const Arguments& a) { return diag(a.tensor("input"), a.integer("diagonal")); }},
      {"trace", "input", [](const Arguments& a) { return trace(a.tensor("input")); }},
  };
}

}  // namespace pullback::golden
