// How a contraction is cut and which operands are copied, decided before any loop of it is written. No choice but that
// of pairs changes a result: every element is one chain of fused multiply-adds over k, however it is cut. (Those that
// are written as dot products, contraction_dots.h, have no such choices.) Contractions
// whose A has no rows (a filter for each channel), and those that go through inner loops before the next rows, are cut
// anew as they are written (contraction.cpp): for the first no schedule matters, for the second only tile and blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

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
  bool keeps_sums = false;   ///< C is stored, row-major, in the type of the sums
  bool long_ending = false;  ///< see contraction_ending.h
  Registers registers;       ///< of the type of the sums
  std::int64_t second_level = 512 << 10;
  bool has_bf16_dot = false;

  double flop() const;
};
/// The whole problem, on one line: equal texts are equal problems.
std::string describe(const ContractionProblem& problem);

struct ContractionSchedule {
  bool transposed = false;  ///< A and B change places, and C is computed as its transpose: "A", "rows" mean what they
                            ///< are then
  Tile tile;
  bool pack_columns = false;  ///< panels of B are copied
  bool pack_rows = false;     ///< blocks of A are copied
  bool paired = false;  ///< both are copied as pairs of bf16. This depends on the problem alone, since it does change
                        ///< how products are summed; blocks of the depth are multiples of kPairedGroup then
  Blocking blocking;

  bool operator==(const ContractionSchedule&) const = default;
};
/// "tile 6 x 2, blocks 120 x 512 x 256, packs A B, transposed".
std::string describe(const ContractionSchedule& schedule);

/// The type in which a contraction's operand of type `stored`, with sums of type `accumulate`, is packed, if not in
/// pairs: what must be converted is converted once.
DType packed_type(DType stored, DType accumulate);

/// Choices made elsewhere.
struct PartialSchedule {
  std::optional<bool> transposed = {};
  std::optional<Tile> tile = {};
  std::optional<bool> pack_columns = {}, pack_rows = {};
};

/// What static rules choose where `fixed` leaves it open.
ContractionSchedule choose_schedule(const ContractionProblem& problem, const PartialSchedule& fixed = {});

/// Can the contraction be cut so, and does its tile fit the registers?
bool is_valid(const ContractionProblem& problem, const ContractionSchedule& schedule);

/// What is varied together in a search for a faster schedule.
enum class Variation : std::uint8_t { operands, tile, blocks };
/// Schedules that differ from `base` in what is varied and are worth a measurement; what else they need is chosen by
/// the rules. All are valid.
std::vector<ContractionSchedule> vary(const ContractionProblem& problem, const ContractionSchedule& base,
                                      Variation variation);

/// Choices from elsewhere: from measurements, say. Nothing: the rules choose.
using ScheduleSource = std::function<std::optional<ContractionSchedule>(const ContractionProblem&)>;
/// What the source, if there is one, says, else the rules. What it was asked and said is noted in the kernel.
ContractionSchedule choose_schedule(const ContractionProblem& problem, const ScheduleSource* source,
                                    kernel::Kernel& kernel);

}  // namespace pullback::lower
