// The register tile of a contraction: its vectors, and what of its loops is repeated in the code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "compiler/codegen/translator.h"

namespace pullback::codegen {

/// Columns [offset, offset + active) of the tile, as a vector of `width` lanes.
struct Translator::Segment {
  std::int64_t offset = 0;
  int width = 1, active = 1;
};

struct Translator::Tile {
  Tile(const kernel::Contract& source, const Target& target);

  const kernel::Contract& contract;
  DType sum;
  int vector = 1;  ///< lanes of a whole vector
  std::vector<Segment> segments;
  Bound a, b, copy, start;                      ///< addresses of the first elements
  bool fetches_beside = false;                  ///< do steps fetch what lies beside their columns of B?
  std::vector<kernel::Contract::Around> loops;  ///< over k, outermost first, that over depth last
  std::vector<bool> written;                    ///< is the loop repeated in the code?
  std::size_t written_out = 0;                  ///< from this one on all loops are
  std::int64_t written_steps = 1;               ///< how many steps those are
  bool joins_rows = false;                      ///< is the last segment a quarter of a vector that rows share?

  /// May the last of several vectors be half as wide as the others?
  bool may_halve(const Target& target) const;
  /// May it be a quarter of a vector, of which four rows make up one?
  bool may_join_rows(const Target& target) const;
  /// How many of the segments are of one width: all, or all but a narrower last one. The sums of that one come behind
  /// the others, in a step of their own: instruction selection would make an element of A for it a part of the one for
  /// whole vectors, which then goes to waste as the place of a sum, and there are too few registers.
  std::size_t equal_segments() const {
    return segments.back().width == segments.front().width ? segments.size() : segments.size() - 1;
  }
  std::int64_t sums() const { return contract.rows * static_cast<std::int64_t>(segments.size()); }
  std::size_t at(std::int64_t row, std::size_t segment) const {
    return static_cast<std::size_t>(row) * segments.size() + segment;
  }
  /// The bound that cuts the loop `level` as a whole, for all rows; null: none.
  const kernel::Contract::Bound* range(std::size_t level) const {
    for (const kernel::Contract::Bound& bound : contract.bounds)
      if (bound.step_row == 0 && bound.steps[level] != 0) return &bound;
    return nullptr;
  }
  bool bounds_rows(std::size_t level) const {
    return std::any_of(contract.bounds.begin(), contract.bounds.end(), [&](const kernel::Contract::Bound& bound) {
      return bound.step_row != 0 && bound.steps[level] != 0;
    });
  }
  /// Is a loop that bounds rows so long that only those of its steps are repeated which some row takes no part in? No
  /// other loop then moves these rows.
  bool peels(std::size_t level) const;
  /// From the first to behind the last of the steps that are a loop in the code, all with the same rows.
  std::pair<std::int64_t, std::int64_t> looped_steps(std::size_t level) const;
  /// Does the row take part in the given steps of the loops that are repeated in the code?
  bool has_row(std::int64_t row, const std::vector<std::int64_t>& steps) const {
    return std::all_of(contract.bounds.begin(), contract.bounds.end(), [&](const kernel::Contract::Bound& bound) {
      return bound.step_row == 0 || is_within(bound, contract.a.in_run(row), steps);
    });
  }
  static bool is_within(const kernel::Contract::Bound& bound, std::int64_t row,
                        const std::vector<std::int64_t>& steps) {
    std::int64_t coordinate = bound.base.constant() + row * bound.step_row;
    for (std::size_t level = 0; level < steps.size(); ++level) coordinate += bound.steps[level] * steps[level];
    return coordinate >= 0 && coordinate < bound.size;
  }
  void choose_written_out();
  /// Do rows meet the same elements of A in different steps of the innermost loop, if that is repeated in
  /// the code, with registers enough to hold what all of these steps read of B?
  bool slides(const Target& target) const;
  /// Do they in `steps` neighbouring steps?
  bool meets(std::int64_t steps) const;
  /// Do they in steps that are repeated in the code, where these do not slide? An element of A is loaded in each of
  /// them rather than kept in a register until the last.
  bool meets_in_code(const Target& target) const;
  /// How many steps of the innermost loop, of which all rows are part, are one iteration of the code's loop so that
  /// rows meet in them; 0: that is not worth it.
  std::int64_t sliding_steps(const Target& target) const;
  /// How many elements of A, of those that rows meet in `steps` steps, are loaded before what is computed with them.
  std::int64_t elements_together(const Target& target, std::int64_t steps) const;
  /// Steps of the loop `level` in one iteration of the code's loop.
  std::int64_t unrolled_steps(std::size_t level, const Target& target) const;
  std::int64_t steps_in_code(const Target& target) const;
  /// Where one of two epilogues runs: which one.
  const kernel::If* choice() const;
  /// The epilogues: one, or those of choice().
  std::vector<const kernel::Block*> endings() const;
  bool stores_along_rows(const kernel::Block& ending) const;
  std::int64_t steps() const { return loops.front().extent * steps_within(0); }
  /// Steps of all loops within one.
  std::int64_t steps_within(std::size_t level) const {
    std::int64_t steps = 1;
    while (++level < loops.size()) steps *= loops[level].extent;
    return steps;
  }

  /// An ending of so many instructions that storing the tile to run it in a loop weighs little.
  static bool is_long(const kernel::Block& ending);
  enum class Epilogue : std::uint8_t { repeated, transposed, looped, transposed_looped };
  Epilogue epilogue(const kernel::Block& ending) const;
  std::int64_t copies_of(const kernel::Block& ending) const;
};

/// Elements of A, B and the copy of B: a pointer, and how far from it.
struct Translator::Place {
  llvm::Value *a = nullptr, *b = nullptr, *copy = nullptr;
  std::int64_t a_offset = 0, b_offset = 0, copy_offset = 0;
  std::vector<std::int64_t> steps;                             ///< of each loop, by level, as far as rows depend on it
  std::vector<std::pair<llvm::Value*, std::int64_t>> fetches;  ///< pointers, and how far from them
};

}  // namespace pullback::codegen
