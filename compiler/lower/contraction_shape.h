// A contraction as strides: which loops it has and how each moves through A, B and C.
#pragma once

#include <optional>
#include <vector>

#include "compiler/lower/view.h"
#include "compiler/ops/contexts.h"
#include "compiler/ops/contraction.h"

namespace pullback::lower {

/// One or more neighbouring loop dimensions that every operand walks over as over one.
struct Loop {
  std::int64_t size = 1;
  std::int64_t a = 0, b = 0, c = 0;     ///< elements each moves by in memory
  std::vector<std::size_t> dimensions;  ///< of the spec, outermost first
};

/// A coordinate of B that may leave its axis, where B reads as zero: offset + the sum of terms, within [0, size).
struct CoordinateBound {
  std::int64_t offset = 0, size = 0;
  std::vector<ops::ContractionSpec::Coordinate::Term> terms;  ///< dimensions are never joined with others

  std::int64_t step(const Loop& loop) const {
    for (const auto& term : terms)
      if (loop.dimensions.size() == 1 && loop.dimensions[0] == term.dimension) return term.coefficient;
    return 0;
  }
};

/// Outermost first; sizes above 1.
struct ContractionLoops {
  std::vector<Loop> batch, m, n, k;

  static std::int64_t product(const std::vector<Loop>& loops) {
    std::int64_t size = 1;
    for (const Loop& loop : loops) size *= loop.size;
    return size;
  }
};

struct ContractionShape : ContractionLoops {
  ops::ContractionSpec spec;
  View a, b;
  std::int64_t a_offset = 0, b_offset = 0;
  std::vector<CoordinateBound> bounds;
};

/// Nothing when an operand is not a strided view of something `stored`; several where elements of B lie apart: see
/// phases_of().
std::vector<ContractionShape> contraction_shapes(const ir::Op& op, Accesses& accesses,
                                                 const std::function<bool(const ir::Value&)>& stored);

/// Can operand `i` of the contraction be read in place, as a strided view of something stored?
bool is_read_in_place(const ir::Op& op, std::size_t i, Accesses& accesses,
                      const std::function<bool(const ir::Value&)>& stored);

/// The only one or, if they can be written together, the one with most products.
std::optional<ContractionShape> contraction_shape(const ir::Op& op, Accesses& accesses,
                                                  const std::function<bool(const ir::Value&)>& stored);

/// Where each of the loops is at `position` of all of them together.
std::vector<kernel::Index> positions_in(const std::vector<Loop>& loops, const kernel::Index& position);
/// How far the loops have moved through an operand.
kernel::Index walked(const std::vector<Loop>& loops, const std::vector<kernel::Index>& at, std::int64_t Loop::* stride);

/// A convolution's loop over the images, the first dimension of the result; null: it has none of its own.
const Loop* image_loop(const ContractionShape& shape);

/// A loop, and where it is.
struct LoopPosition {
  const Loop* loop = nullptr;
  kernel::Index at;
};
/// The indices in C of the element where the loops over batch, m and n are; those left out are at 0.
ops::Indices indices_in_c(const ops::ContractionSpec& spec, const std::vector<LoopPosition>& positions);

/// Is the value made of another one's elements, in other places?
bool only_moves(const ir::Value& value);

/// Is it lowered as a contraction, rather than by its element rule? Not integers, nothing empty, no outer products, and
/// not the few rows times a transposed matrix that are better summed along k by vectors.
bool is_contraction(const ir::Op& op, Accesses& accesses);

}  // namespace pullback::lower
