// A contraction as strides: which loops it has and how each moves through A, B and C.
#pragma once

#include <optional>
#include <vector>

#include "compiler/lower/view.h"
#include "compiler/ops/contraction.h"

namespace pullback::lower {

/// One or more neighbouring loop dimensions that every operand walks over as over one.
struct Loop {
  std::int64_t size = 1;
  std::int64_t a = 0, b = 0, c = 0;     ///< elements each moves by; c in the row-major result
  std::vector<std::size_t> dimensions;  ///< of the spec, outermost first
};

struct ContractionShape {
  ops::ContractionSpec spec;
  View a, b;
  std::int64_t a_offset = 0, b_offset = 0;
  std::vector<Loop> batch, m, n, k;  ///< outermost first; sizes above 1

  static std::int64_t product(const std::vector<Loop>& loops) {
    std::int64_t size = 1;
    for (const Loop& loop : loops) size *= loop.size;
    return size;
  }
};

/// Nothing when an operand is not a strided view of something `stored`, or coordinates may leave their axis.
std::optional<ContractionShape> contraction_shape(const ir::Op& op, Accesses& accesses,
                                                  const std::function<bool(const ir::Value&)>& stored);

/// Is it lowered as a contraction, rather than by its element rule? Not integers, nothing empty, no outer products, and
/// not the few rows times a transposed matrix that are better summed along k by vectors.
bool is_contraction(const ir::Op& op, Accesses& accesses);

}  // namespace pullback::lower
