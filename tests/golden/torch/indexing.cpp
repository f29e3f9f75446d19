// Elements at places that are constant or computed, running folds, order.
#include <map>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

ScatterReduction scatter_reduction_of(const Arguments& a) {
  static const std::map<std::string, ScatterReduction> known = {{"sum", ScatterReduction::sum},
                                                                {"prod", ScatterReduction::prod},
                                                                {"mean", ScatterReduction::mean},
                                                                {"amax", ScatterReduction::amax},
                                                                {"amin", ScatterReduction::amin}};
  const auto found = known.find(a.text("reduce"));
  if (found == known.end()) a.fail("reduce", "is '" + a.text("reduce") + "': it is not known");
  return found->second;
}

Value pair_of(const ValuesAndIndices& found) {
  return list_of({found.values, found.indices});
}

/// x[i + 1] - x[i] along an axis, n times.
Tensor differences(const Arguments& a) {
  Tensor x = a.tensor("input");
  for (std::int64_t i = 0; i < a.integer("n"); ++i) {
    const std::int64_t rest = x.size(a.axis("dim")).constant() - 1;
    x = narrow(x, a.axis("dim"), 1, rest) - narrow(x, a.axis("dim"), 0, rest);
  }
  return x;
}

}  // namespace

FunctionTable indexing_functions() {
  return {
      {"narrow", "input, dim, start, length",
       [](const Arguments& a) {
         return narrow(a.tensor("input"), a.axis("dim"), a.integer("start"), a.integer("length"));
       }},
      {"select", "input, dim, index",
       [](const Arguments& a) { return select(a.tensor("input"), a.axis("dim"), a.integer("index")); }},
      {"diff", "input, n=1, dim=-1", differences},

      {"index_select", "input, dim, index",
       [](const Arguments& a) { return index_select(a.tensor("input"), a.axis("dim"), a.tensor("index")); }},
      {"take", "input, index",
       [](const Arguments& a) { return take(reshape(a.tensor("input"), {-1}), a.tensor("index")); }},
      {"gather", "input, dim, index",
       [](const Arguments& a) { return gather(a.tensor("input"), a.axis("dim"), a.tensor("index")); }},
      {"take_along_dim", "input, indices, dim",
       [](const Arguments& a) { return take_along(a.tensor("input"), a.tensor("indices"), a.axis("dim")); }},
      {"embedding", "input, weight, padding_idx=None",
       [](const Arguments& a) {
         return embedding(a.tensor("weight"), a.tensor("input"), a.optional_integer("padding_idx"));
       }},
      {"one_hot", "input, num_classes",
       [](const Arguments& a) { return one_hot(a.tensor("input"), a.integer("num_classes"), i64); }},

      {"scatter", "input, dim, index, src=None, value=None",
       [](const Arguments& a) {
         return scatter(a.tensor("input"), a.axis("dim"), a.tensor("index"),
                        a.operand(a.given("src") ? "src" : "value"));
       }},
      {"scatter_add", "input, dim, index, src",
       [](const Arguments& a) {
         return scatter_add(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.operand("src"));
       }},
      {"scatter_reduce", "input, dim, index, src, reduce, include_self=True",
       [](const Arguments& a) {
         return scatter_reduce(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("src"),
                               scatter_reduction_of(a), a.flag("include_self"));
       }},
      {"index_add", "input, dim, index, source, alpha=1",
       [](const Arguments& a) {
         return index_add(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("source"), a.number("alpha"));
       }},
      {"index_copy", "input, dim, index, source",
       [](const Arguments& a) {
         return index_copy(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("source"));
       }},
      {"index_fill", "input, dim, index, value",
       [](const Arguments& a) {
         return index_fill(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.number("value"));
       }},
      {"masked_fill", "input, mask, value",
       [](const Arguments& a) { return masked_fill(a.tensor("input"), a.tensor("mask"), a.operand("value")); }},
      {"searchsorted", "sorted_sequence, input, right=False",
       [](const Arguments& a) {
         return searchsorted(a.tensor("sorted_sequence"), a.tensor("input"), a.flag("right"));
       }},
      {"bucketize", "input, boundaries, right=False",
       [](const Arguments& a) { return bucketize(a.tensor("input"), a.tensor("boundaries"), a.flag("right")); }},

      {"cumsum", "input, dim", [](const Arguments& a) { return cumsum(a.tensor("input"), a.axis("dim")); }},
      {"cumprod", "input, dim", [](const Arguments& a) { return cumprod(a.tensor("input"), a.axis("dim")); }},
      {"cummax", "input, dim", [](const Arguments& a) { return pair_of(cummax(a.tensor("input"), a.axis("dim"))); }},
      {"cummin", "input, dim", [](const Arguments& a) { return pair_of(cummin(a.tensor("input"), a.axis("dim"))); }},
      {"logcumsumexp", "input, dim", [](const Arguments& a) { return logcumsumexp(a.tensor("input"), a.axis("dim")); }},

      {"sort", "input, dim=-1, descending=False, stable=False",
       [](const Arguments& a) { return pair_of(sort(a.tensor("input"), a.axis("dim"), a.flag("descending"))); }},
      {"msort", "input", [](const Arguments& a) { return sort(a.tensor("input"), 0).values; }},
      {"argsort", "input, dim=-1, descending=False, stable=False",
       [](const Arguments& a) { return argsort(a.tensor("input"), a.axis("dim"), a.flag("descending")); }},
      {"topk", "input, k, dim=-1, largest=True, sorted=True",
       [](const Arguments& a) {
         return pair_of(topk(a.tensor("input"), a.integer("k"), a.axis("dim"), a.flag("largest")));
       }},
      {"kthvalue", "input, k, dim=-1, keepdim=False",
       [](const Arguments& a) {
         return pair_of(kthvalue(a.tensor("input"), a.integer("k"), a.axis("dim"), a.flag("keepdim")));
       }},
  };
}

}  // namespace pullback::golden
