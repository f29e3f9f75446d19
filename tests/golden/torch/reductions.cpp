// Sums, extrema and other folds over axes.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

using Reduce = Tensor (*)(const Tensor&, const Axes&, bool, SourceLocation);

TorchFunction over_axes(std::string names, Reduce function) {
  return {std::move(names), "input, dim=None, keepdim=False", [function](const Arguments& a) {
            return function(a.tensor("input"), a.axes("dim"), a.flag("keepdim"), SourceLocation::current());
          }};
}

}  // namespace

FunctionTable reduction_functions() {
  return {
      over_axes("sum", sum),  over_axes("mean", mean), over_axes("prod", prod),
      over_axes("amax", max), over_axes("amin", min),  over_axes("logsumexp", logsumexp),
  };
}

}  // namespace pullback::golden
