// Sums, extrema and other folds over axes.
#include <cmath>
#include <limits>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

using Reduce = Tensor (*)(const Tensor&, const Axes&, bool, SourceLocation);
using Locate = Tensor (*)(const Tensor&, int, bool, SourceLocation);

TorchFunction over_axes(std::string names, Reduce function) {
  return {std::move(names), "input, dim=None, keepdim=False", [function](const Arguments& a) {
            return function(a.tensor("input"), a.axes("dim"), a.flag("keepdim"), SourceLocation::current());
          }};
}

/// argmax and argmin; without an axis the place in all elements in their order.
TorchFunction place(std::string names, Locate function) {
  return {std::move(names), "input, dim=None, keepdim=False", [function](const Arguments& a) {
            const Tensor x = a.tensor("input");
            if (!a.given("dim")) return function(reshape(x, {-1}), 0, false, SourceLocation::current());
            return function(x, a.axis("dim"), a.flag("keepdim"), SourceLocation::current());
          }};
}

/// max and min: of all elements, along an axis with indices, or of two tensors.
template <class ValuesAndPlaces>
TorchFunction extremum(std::string names, Reduce whole, ValuesAndPlaces along,
                       Tensor (*elementwise)(const Operand&, const Operand&, SourceLocation)) {
  return {std::move(names), "input, dim=None, keepdim=False, other=None", [=](const Arguments& a) -> Value {
            const Tensor x = a.tensor("input");
            if (a.at("dim").tensor()) return elementwise(x, a.operand("dim"), SourceLocation::current());
            if (a.given("other")) return elementwise(x, a.operand("other"), SourceLocation::current());
            if (!a.given("dim")) return whole(x, {}, false, SourceLocation::current());
            const auto found = along(x, a.axis("dim"), a.flag("keepdim"), SourceLocation::current());
            return list_of({found.values, found.indices});
          }};
}

/// How many elements less than all a variance is divided by: `correction`, or `unbiased`, which may stand where the
/// axes do.
int correction_of(const Arguments& a) {
  if (a.given("correction")) return static_cast<int>(a.integer("correction"));
  const auto* first = std::get_if<bool>(&a.at("dim"));
  return (first ? *first : a.flag("unbiased")) ? 1 : 0;
}

Axes variance_axes(const Arguments& a) {
  return std::holds_alternative<bool>(a.at("dim")) ? Axes() : a.axes("dim");
}

const char* const kVariance = "input, dim=None, unbiased=True, keepdim=False, correction=None";

/// The order of a vector norm; "fro" and None are 2.
double order(const Arguments& a, const std::string& name) {
  if (!a.given(name)) return 2;
  if (std::holds_alternative<std::string>(a.at(name)) && a.text(name) == "fro") return 2;
  return a.number(name);
}

TorchFunction vector_norm(std::string names, const std::string& order_name, const std::string& standard) {
  return {std::move(names), "input, " + order_name + "=" + standard + ", dim=None, keepdim=False",
          [order_name](const Arguments& a) {
            return norm(a.tensor("input"), order(a, order_name), a.axes("dim"), a.flag("keepdim"));
          }};
}

}  // namespace

FunctionTable reduction_functions() {
  return {
      over_axes("sum", sum),
      over_axes("mean", mean),
      over_axes("prod", prod),
      over_axes("amax", max),
      over_axes("amin", min),
      over_axes("logsumexp", logsumexp),
      over_axes("any", any),
      over_axes("all", all),
      over_axes("count_nonzero", count_nonzero),
      place("argmax", argmax),
      place("argmin", argmin),
      extremum("max", max, max_with_index, maximum),
      extremum("min", min, min_with_index, minimum),
      {"var", kVariance,
       [](const Arguments& a) {
         return var(a.tensor("input"), variance_axes(a), a.flag("keepdim"), correction_of(a));
       }},
      {"std", kVariance,
       [](const Arguments& a) {
         return stddev(a.tensor("input"), variance_axes(a), a.flag("keepdim"), correction_of(a));
       }},
      {"var_mean", kVariance,
       [](const Arguments& a) {
         const VarMean both = var_mean(a.tensor("input"), variance_axes(a), a.flag("keepdim"), correction_of(a));
         return list_of({both.var, both.mean});
       }},
      {"std_mean", kVariance,
       [](const Arguments& a) {
         const Tensor x = a.tensor("input");
         return list_of({stddev(x, variance_axes(a), a.flag("keepdim"), correction_of(a)),
                         mean(x, variance_axes(a), a.flag("keepdim"))});
       }},
      vector_norm("norm", "p", "'fro'"),
      vector_norm("vector_norm", "ord", "2"),
      vector_norm("linalg.norm", "ord", "None"),
      {"normalize", "input, p=2.0, dim=1, eps=1e-12",
       [](const Arguments& a) { return normalize(a.tensor("input"), a.number("p"), a.axes("dim"), a.number("eps")); }},
      {"cosine_similarity", "x1, x2, dim=1, eps=1e-8",
       [](const Arguments& a) {
         return cosine_similarity(a.tensor("x1"), a.tensor("x2"), a.axis("dim"), a.number("eps"));
       }},
      {"pairwise_distance", "x1, x2, p=2.0, eps=1e-6, keepdim=False",
       [](const Arguments& a) {
         return pairwise_distance(a.tensor("x1"), a.tensor("x2"), a.number("p"), a.number("eps"), a.flag("keepdim"));
       }},
      {"cdist", "x1, x2, p=2.0",
       [](const Arguments& a) { return cdist(a.tensor("x1"), a.tensor("x2"), a.number("p")); }},
      {"dist", "input, other, p=2",
       [](const Arguments& a) { return norm(a.tensor("input") - a.tensor("other"), a.number("p")); }},
      {"median", "input, dim=None, keepdim=False",
       [](const Arguments& a) -> Value {
         if (!a.given("dim")) return median(a.tensor("input"));
         const auto found = median(a.tensor("input"), a.axis("dim"), a.flag("keepdim"));
         return list_of({found.values, found.indices});
       }},
  };
}

}  // namespace pullback::golden
