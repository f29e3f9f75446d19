// An iteration space: axes from outermost to innermost, neighbours joined where every address allows it.
#pragma once

#include <functional>
#include <vector>

#include "compiler/ir/kernel/index.h"
#include "compiler/lower/survey.h"
#include "compiler/ops/contexts.h"

namespace pullback::lower {

struct Axis {
  std::int64_t extent = 1;
  std::vector<std::size_t> dims;  ///< the dimensions it stands for, outermost first
  std::vector<std::int64_t> dim_sizes;
};

/// One axis for each of `order`'s dimensions whose size is not 1.
std::vector<Axis> axes_of(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& order);

/// Joins neighbours when every address moves over both as over one; variables[i] is what ran over axes[i].
std::vector<Axis> join_axes(const std::vector<Axis>& axes, const std::vector<const kernel::LoopVar*>& variables,
                            const Survey& survey);

/// Position on each dimension from positions on the axes.
ops::Indices dims_at(const std::vector<Axis>& axes, const std::vector<kernel::Index>& positions, std::size_t rank);

}  // namespace pullback::lower
