#include "compiler/lower/axes.h"

#include <algorithm>

namespace pullback::lower {

using kernel::Index;

std::vector<Axis> axes_of(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& order) {
  std::vector<Axis> axes;
  for (std::int64_t d : order) {
    const auto dim = static_cast<std::size_t>(d);
    if (sizes[dim] != 1) axes.push_back({sizes[dim], {dim}, {sizes[dim]}});
  }
  return axes;
}

std::vector<Axis> join_axes(const std::vector<Axis>& axes, const std::vector<const kernel::LoopVar*>& variables,
                            const Survey& survey) {
  const auto joinable = [&](std::size_t outer) {
    const kernel::LoopVar &a = *variables[outer], &b = *variables[outer + 1];
    return std::all_of(survey.accesses.begin(), survey.accesses.end(), [&](const Survey::Access& access) {
      const std::int64_t stride = access.address.coefficient(b);
      return access.address.has_stride(b, stride) && access.address.has_stride(a, stride * b.extent);
    });
  };
  std::vector<Axis> joined;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (i == 0 || !joinable(i - 1)) {
      joined.push_back(axes[i]);
      continue;
    }
    Axis& last = joined.back();
    last.extent *= axes[i].extent;
    last.dims.insert(last.dims.end(), axes[i].dims.begin(), axes[i].dims.end());
    last.dim_sizes.insert(last.dim_sizes.end(), axes[i].dim_sizes.begin(), axes[i].dim_sizes.end());
  }
  return joined;
}

ops::Indices dims_at(const std::vector<Axis>& axes, const std::vector<Index>& positions, std::size_t rank) {
  ops::Indices indices(rank);
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const std::vector<Index> along = kernel::unflatten(positions[a], axes[a].dim_sizes);
    for (std::size_t d = 0; d < along.size(); ++d) indices[axes[a].dims[d]] = along[d];
  }
  return indices;
}

}  // namespace pullback::lower
