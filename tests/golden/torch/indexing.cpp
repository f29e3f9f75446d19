// Parts of tensors: at constant places, and at indices that are tensors themselves.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

FunctionTable indexing_functions() {
  return {
      {"narrow", "input, dim, start, length",
       [](const Arguments& a) {
         return narrow(a.tensor("input"), a.axis("dim"), a.integer("start"), a.integer("length"));
       }},
      {"select", "input, dim, index",
       [](const Arguments& a) {
         const Tensor x = a.tensor("input");
         std::vector<Value> subscripts(static_cast<std::size_t>(a.axis("dim") + (a.axis("dim") < 0 ? x.rank() : 0)),
                                       Slice{});
         subscripts.push_back(a.at("index"));
         return index(x, subscripts);
       }},
      {"index_select", "input, dim, index",
       [](const Arguments& a) { return take(a.tensor("input"), a.tensor("index"), a.axis("dim")); }},
      {"one_hot", "input, num_classes",
       [](const Arguments& a) { return one_hot(a.tensor("input"), a.integer("num_classes"), i64); }},
  };
}

}  // namespace pullback::golden
