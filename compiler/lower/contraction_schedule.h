// How a contraction is cut and which operands are copied, decided before any loop of it is written. No choice but that
// of pairs changes a result: every element is one chain of fused multiply-adds over k, however it is cut.
#pragma once

#include <cstdint>

#include "compiler/lower/contraction_orientation.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {

/// Bytes of a panel at one step of k: with less, filling panels one by one takes single lines out of rows of B.
inline constexpr std::int64_t kWidePanel = 128;

/// All that a choice may depend on: no value, buffer or address.
struct ContractionProblem {
  struct Operand {
    DType dtype = DType::f32;
    bool stored = true;  ///< in memory; else it is computed as it is packed
  };
  ContractionLoops loops;  ///< those of C(m,n) = A(m,k) B(k,n), as the op has them
  Operand a, b;
  DType accumulate = DType::f32;
  bool keeps_sums = false;  ///< C is stored, row-major, in the type of the sums
  Registers registers;      ///< of the type of the sums
  std::int64_t second_level = 512 << 10;
  bool has_bf16_dot = false;
};

struct ContractionSchedule {
  bool transposed = false;  ///< A and B change places, and C is computed as its transpose: "A", "rows" mean what they
                            ///< are then
  Tile tile;
  bool pack_columns = false;  ///< panels of B are copied
  bool pack_rows = false;     ///< blocks of A are copied
  bool paired = false;  ///< both are copied as pairs of bf16. This depends on the problem alone, since it does change
                        ///< how products are summed; blocks of the depth are multiples of kPairedGroup then
  Blocking blocking;
};

/// The type in which a contraction's operand of type `stored`, with sums of type `accumulate`, is packed, if not in
/// pairs: what must be converted is converted once.
DType packed_type(DType stored, DType accumulate);

ContractionSchedule choose_schedule(const ContractionProblem& problem);

}  // namespace pullback::lower
