#include "compiler/lower/contraction_schedule.h"

#include <algorithm>
#include <utility>

#include "compiler/lower/contraction_packing.h"

namespace pullback::lower {
namespace {

/// Steps of B further apart than this, in vectors, are packed: in place they meet in the same sets of the cache and
/// miss the TLB.
constexpr std::int64_t kInPlaceVectors = 32;
constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kCollidingRows = 8;
/// So few rows times a matrix B beyond the first level of the cache are bound by reading B: a few of its rows side by
/// side, each from one end to the other, as the hardware fetches ahead. The sums wait in C meanwhile.
constexpr std::int64_t kStreamedRows = 2, kStreams = 8, kNearMatrix = 32 << 10;

/// The rules, one after the other: each builds on what was chosen before.
class ScheduleChooser {
 public:
  explicit ScheduleChooser(const ContractionProblem& problem)
      : a_(problem.a), b_(problem.b), problem_(problem), registers_(problem.registers) {
    ContractionLoops loops = problem.loops;
    schedule_.transposed = transposed_costs_less(loops, registers_);
    if (schedule_.transposed) {
      swap_operands(loops);
      std::swap(a_, b_);
    }
    const TileLoops tile = take_tile_loops(loops);
    row_ = tile.row;
    column_ = tile.column;
    depth_ = tile.depth;
    one_k_loop_ = loops.k.empty();
    schedule_.paired = gains_from_pairs();
    extents_ = {row_.size, column_.size, depth_.size,
                static_cast<std::int64_t>(size_of(packed_type(a_.dtype, problem.accumulate)))};
    if (schedule_.paired) extents_.depth = paired_steps(depth_.size);
  }

  ContractionSchedule run() {
    choose_tile();
    schedule_.pack_columns = schedule_.paired || !b_.stored ||
                             (column_.size > 1 && (column_.b != 1 || misses_in_place())) ||
                             (is_converted(b_) && row_.size > tile().rows);
    choose_blocks();
    if (schedule_.paired) {
      const std::int64_t groups = (2 * schedule_.blocking.depth + kPairedGroup - 1) / kPairedGroup;
      schedule_.blocking.depth = std::min(depth_.size, groups * kPairedGroup);
    }
    return schedule_;
  }

 private:
  const Tile& tile() const { return schedule_.tile; }
  std::int64_t panel_width() const { return tile().vectors * registers_.width; }

  /// Pairs need both operands packed: not for few rows, which are bound by reading B once.
  bool gains_from_pairs() const {
    constexpr std::int64_t kFewestRows = 4, kFewestColumns = 8;
    return problem_.has_bf16_dot && a_.dtype == DType::bf16 && b_.dtype == DType::bf16 &&
           problem_.accumulate == DType::f32 && one_k_loop_ && depth_.size >= kPairedGroup &&
           row_.size >= kFewestRows && column_.size >= kFewestColumns;
  }
  bool is_converted(const ContractionProblem::Operand& operand) const {
    return packed_type(operand.dtype, problem_.accumulate) != operand.dtype;
  }

  void choose_tile() {
    schedule_.tile = lower::choose_tile(row_.size, column_.size, registers_);
    // Rows a multiple of this apart compete for the same few places of the first level.
    if (row_.a * extents_.bytes % kPage == 0)
      schedule_.tile.rows = std::min<std::int64_t>(schedule_.tile.rows, kCollidingRows);
  }

  /// Would rows read B, whose columns are neighbours, too slowly in place? A panel's steps then lie far apart, or take
  /// single lines out of rows of B, for so many rows that a copy is paid for.
  bool misses_in_place() const {
    constexpr std::int64_t kManyTiles = 10, kNearPanel = 16 << 10;
    const std::int64_t step = panel_width() * extents_.bytes;
    if (depth_.b > kInPlaceVectors * registers_.width) return row_.size > tile().rows;
    return step < kWidePanel && depth_.b > panel_width() && row_.size > kManyTiles * tile().rows &&
           depth_.size * step > kNearPanel;
  }

  /// Blocks for one loop over k; what has more, as convolutions do, is small, and runs in one piece.
  void choose_blocks() {
    schedule_.blocking = {row_.size, column_.size, extents_.depth};
    if (!one_k_loop_) return;
    const bool chained = problem_.keeps_sums && column_.c == 1;
    const bool streamed = row_.size <= kStreamedRows && !schedule_.pack_columns && a_.stored &&
                          column_.size * depth_.size * extents_.bytes > kNearMatrix;
    const Blocking best = choose_blocking(extents_, tile(), registers_, problem_.second_level, false);
    const bool cut = row_.size > tile().rows || schedule_.pack_columns;
    // Sums that are not kept in C wait in scratch memory: worth it for the deepest only.
    const bool whole_depth = !cut || (!chained && extents_.depth <= 2 * best.depth);
    if (streamed) {
      schedule_.blocking.depth = even_piece(depth_.size, kStreams);
      return;
    }
    schedule_.blocking =
        whole_depth ? choose_blocking(extents_, tile(), registers_, problem_.second_level, true) : best;
    schedule_.pack_rows = schedule_.paired || !a_.stored || misses_rows() || converts_rows();
  }

  /// Would rows of A, which are read once for each panel of B, be missing in the cache by then?
  bool misses_rows() const {
    const std::int64_t a_bytes = row_.size * schedule_.blocking.depth * extents_.bytes;
    // Rows that are neighbours lie on another line at each step of k.
    const bool across = row_.a == 1;
    const std::int64_t apart = (across ? depth_.a : row_.a) * extents_.bytes, far = across ? kPage / 4 : kPage;
    // Bytes of A that stay in the cache with B beside them.
    const std::int64_t near_rows = problem_.second_level / (across ? 4 : 2);
    return (across || depth_.a == 1) && row_.size > tile().rows && column_.size >= 4 * panel_width() &&
           a_bytes > near_rows && (apart >= far || a_bytes > 4 * near_rows);
  }

  /// Are rows of A that must be converted read by several panels of B?
  bool converts_rows() const {
    return is_converted(a_) && (row_.a == 1 || depth_.a == 1) && column_.size > panel_width();
  }

  ContractionProblem::Operand a_, b_;
  const ContractionProblem& problem_;
  Registers registers_;
  Loop row_, column_, depth_;  ///< what the tile covers
  bool one_k_loop_ = true;
  Extents extents_;
  ContractionSchedule schedule_;
};

}  // namespace

DType packed_type(DType stored, DType accumulate) {
  return stored == DType::f16 || stored == DType::bf16 ? accumulate : stored;
}

ContractionSchedule choose_schedule(const ContractionProblem& problem) {
  return ScheduleChooser(problem).run();
}

}  // namespace pullback::lower
