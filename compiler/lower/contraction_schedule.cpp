#include "compiler/lower/contraction_schedule.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <pullback/error.h>
#include "compiler/lower/contraction_packing.h"

namespace pullback::lower {
namespace {

/// Steps of B further apart than this, in vectors, are packed: in place they meet in the same sets of the cache and
/// miss the TLB.
constexpr std::int64_t kInPlaceVectors = 32;
constexpr std::int64_t kPage = 4096, kLine = 64;
constexpr std::int64_t kCollidingRows = 8;
/// A copy of rows is paid for by so many panels that read it.
constexpr std::int64_t kPanelsOfCopiedRows = 4;
/// So few rows times a matrix B beyond the first level of the cache are bound by reading B: a few of its rows side by
/// side, each from one end to the other, as the hardware fetches ahead. The sums wait in C meanwhile.
constexpr std::int64_t kStreamedRows = 2, kStreams = 8, kNearMatrix = 32 << 10;
/// From a matrix several times the second level, each row gives so many bytes before the next does: with more, the
/// fetches of a tile come in bursts that those ahead must wait for.
constexpr std::int64_t kStreamedBytes = 96, kFarMatrices = 4;
/// Bytes of a column of A or B in one block, when each step of k reads a row of either; more with 32 registers, whose
/// tiles read so slowly that the second level is as good, and are begun and ended less often then.
constexpr std::int64_t kStripDepth = 512, kLongStripDepth = 2048;

/// Sums of so few bytes of A are bound by writing C. It is written row by row then: few rows of a tile at a time, each
/// along a strip of B that stays near, rather than in many short runs pages apart.
constexpr std::int64_t kShallowSum = 128, kShallowRows = 4, kShallowVectors = 2, kShallowWide = 4;

/// Numbers of row tiles for which a copy of B is much of the work, and steps of panels that stay in the first level.
constexpr std::int64_t kFewTiles = 4, kSeveralTiles = 20, kShortPanel = 128;
/// The same where each step reads a row of either operand in place: of both, a block stays in the first level.
constexpr std::int64_t kShortStrip = 64;

/// With 32 registers tiles of eight or nine rows by three vectors load least for a product and have sums enough where B
/// comes from the second level. Up to so many rows read B where it lies. A tile of two vectors has up to 14 rows.
constexpr std::int64_t kWideRows = 8, kMostWideRows = 9, kWideVectors = 3, kRowsInPlace = 140;
constexpr std::int64_t kTallRows = 14, kTallVectors = 2, kFewTallTiles = 10;
/// Most steps of a panel that is read in place; and where each step reads a row of either operand, if there are more
/// than so many.
constexpr std::int64_t kDepthInPlace = 512, kDepthAcross = 256, kUncutAcross = 640;
/// Bytes of a panel that stay in the first level beside rows of A, and those of a block of A that is read where it is.
constexpr std::int64_t kNearPanel = 32 << 10, kBlockInPlace = 4 << 20;

/// Bytes of a second level in which blocks of A have long runs beside a panel of B.
constexpr std::int64_t kRoomySecondLevel = 1 << 20;

/// A problem as its tiles see it.
struct TiledProblem {
  TiledProblem(const ContractionProblem& problem, bool transposed) : a(problem.a), b(problem.b) {
    ContractionLoops loops = problem.loops;
    if (transposed) {
      swap_operands(loops);
      std::swap(a, b);
    }
    const TileLoops tile = take_tile_loops(loops);
    row = tile.row;
    column = tile.column;
    depth = tile.depth;
    one_k_loop = loops.k.empty();
    extents = {row.size, column.size, depth.size,
               static_cast<std::int64_t>(size_of(packed_type(a.dtype, problem.accumulate)))};
  }
  /// Tiles read columns that are neighbours in memory.
  bool must_pack_columns() const { return !b.stored || (column.size > 1 && column.b != 1); }
  bool may_pack_rows() const { return one_k_loop && (!a.stored || row.a == 1 || depth.a == 1); }
  bool must_pack_rows() const { return one_k_loop && !a.stored; }

  ContractionProblem::Operand a, b;
  Loop row, column, depth;
  bool one_k_loop = true;
  Extents extents;
};

/// Pairs need both operands packed: not for few rows, which are bound by reading B once. Whatever else is chosen, this
/// is as the rules have it: sums of pairs are other sums.
bool is_paired(const ContractionProblem& problem) {
  constexpr std::int64_t kFewestRows = 4, kFewestColumns = 8;
  const TiledProblem tiled(problem, transposed_costs_less(problem.loops, problem.registers));
  return problem.has_bf16_dot && tiled.a.dtype == DType::bf16 && tiled.b.dtype == DType::bf16 &&
         problem.accumulate == DType::f32 && tiled.one_k_loop && tiled.depth.size >= kPairedGroup &&
         tiled.row.size >= kFewestRows && tiled.column.size >= kFewestColumns;
}

/// The rules, one after the other: each builds on what was chosen before.
class ScheduleChooser {
 public:
  ScheduleChooser(const ContractionProblem& problem, const PartialSchedule& fixed)
      : fixed_(fixed),
        problem_(problem),
        registers_(problem.registers),
        transposed_(fixed.transposed.value_or(transposed_costs_less(problem.loops, problem.registers))),
        tiled_(problem, transposed_) {
    schedule_.transposed = transposed_;
    schedule_.paired = is_paired(problem);
    if (schedule_.paired) extents_.depth = paired_steps(depth_.size);
  }

  ContractionSchedule run() {
    choose_tile();
    schedule_.pack_columns =
        schedule_.paired ||
        fixed_.pack_columns.value_or(tiled_.must_pack_columns() || (column_.size > 1 && misses_in_place()) ||
                                     (is_converted(tiled_.b) && row_.size > tile().rows));
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

  bool is_converted(const ContractionProblem::Operand& operand) const {
    return packed_type(operand.dtype, problem_.accumulate) != operand.dtype;
  }

  void choose_tile() {
    if (fixed_.tile) {
      schedule_.tile = *fixed_.tile;
      return;
    }
    schedule_.tile = lower::choose_tile(row_.size, column_.size, registers_);
    if (has_wide_result() && tile().rows >= kWideRows) schedule_.tile = {kWideRows, kWideVectors};
    if (has_few_rows())
      schedule_.tile = has_pairs_of_vectors() ? Tile{even_rows(kTallRows), kTallVectors}
                                              : Tile{even_rows(kMostWideRows), kWideVectors};
    else if (has_too_few_sums())
      schedule_.tile.rows = even_rows(kTallRows);
    if (is_shallow()) schedule_.tile = {kShallowRows, kShallowWide};
    if (rows_collide()) schedule_.tile.rows = std::min<std::int64_t>(schedule_.tile.rows, kCollidingRows);
    if (writes_much()) {
      schedule_.tile.rows = std::min(schedule_.tile.rows, kShallowRows);
      if (registers_.vectors == 16) schedule_.tile.vectors = std::min(schedule_.tile.vectors, kShallowVectors);
    }
    if (may_stream() && matrix_bytes() > kFarMatrices * problem_.second_level) {
      const std::int64_t vector_bytes = registers_.width * extents_.bytes;
      schedule_.tile.vectors =
          std::min<std::int64_t>(schedule_.tile.vectors, (kStreamedBytes + vector_bytes - 1) / vector_bytes);
    }
  }

  bool has_many_registers() const { return registers_.vectors == 32; }

  /// Does a panel of B, at all steps, take much of the first level?
  bool has_far_panel() const { return depth_.size * kTallVectors * registers_.width * extents_.bytes > kNearPanel / 2; }
  /// So few rows that B is read where it lies, and does not stay in the first level between their tiles.
  bool has_few_rows() const {
    return has_many_registers() && tiled_.one_k_loop && tiled_.a.stored && !tiled_.must_pack_columns() &&
           !schedule_.paired && row_.size > kTallRows && row_.size <= kRowsInPlace && column_.size > registers_.width &&
           has_far_panel();
  }
  /// Two or four vectors: in tiles of three these would be two, too.
  bool has_pairs_of_vectors() const {
    const std::int64_t vectors = (column_.size + registers_.width - 1) / registers_.width;
    return vectors == kTallVectors || vectors == 2 * kTallVectors;
  }
  /// So many columns that narrower tiles at their end do not weigh, and A is read as it lies.
  bool has_wide_result() const {
    constexpr std::int64_t kManyColumnVectors = 64, kSomeColumnVectors = 16;
    if (!has_many_registers() || !tiled_.one_k_loop || row_.size <= kTallRows || ending_weighs()) return false;
    if (row_.a == 1 && (!has_far_panel() || reads_across_in_place() || meets_in_one_set())) return false;
    return column_.size >= (has_far_panel() ? kSomeColumnVectors : kManyColumnVectors) * registers_.width;
  }
  /// Are rows of A neighbours, and steps so many whole pages apart that none of a tile stays in the first level? Up to
  /// a depth the second level is as good.
  bool meets_in_one_set() const {
    return row_.a == 1 && depth_.a * extents_.bytes % kPage == 0 && depth_.size > kDepthInPlace;
  }
  /// While a panel comes from the second level, 16 sums do not hide what waits for it. Rows that are neighbours come in
  /// whole and half lines instead, where B is near enough to be read in place.
  bool has_too_few_sums() const {
    constexpr std::int64_t kEnoughSums = 20;
    return has_many_registers() && tiled_.one_k_loop && row_.size > kTallRows && tile().vectors == kTallVectors &&
           tile().rows * tile().vectors < kEnoughSums && has_far_panel() && !reads_across_in_place() &&
           !ending_weighs();
  }
  /// More sums would leave their registers for a long ending again and again.
  bool ending_weighs() const { return problem_.long_ending && depth_.size <= kDepthInPlace; }
  /// About equal numbers of rows, of at most `most`. Where all may be equal, with one or two fewer, they are: each
  /// number is code of its own.
  std::int64_t even_rows(std::int64_t most) const {
    for (std::int64_t rows = most; rows + 2 >= most; --rows)
      if (row_.size % rows == 0) return rows;
    const std::int64_t tiles = (row_.size + most - 1) / most;
    return (row_.size + tiles - 1) / tiles;
  }
  /// Does each step read a row of either operand, where these are whole lines that meet in many sets of the cache, for
  /// so few rows of A that a copy of B takes longer than what it saves?
  bool reads_across_in_place() const {
    constexpr std::int64_t kMostRows = 512;
    const std::int64_t apart = depth_.b * extents_.bytes;
    return has_many_registers() && tiled_.one_k_loop && row_.a == 1 && row_.size <= kMostRows && tiled_.a.stored &&
           !tiled_.must_pack_columns() && problem_.keeps_sums && column_.c == 1 && apart % kLine == 0 &&
           apart % kPage != 0;
  }

  /// Are sums so short that writing C, larger than the first level, weighs? Rows of a tile are long runs then.
  bool is_shallow() const {
    return has_many_registers() && tiled_.one_k_loop && !schedule_.paired && row_.size > kShallowRows &&
           depth_.size * extents_.bytes <= 2 * kShallowSum && column_.size > kTallVectors * registers_.width &&
           row_.size * column_.size * extents_.bytes > kNearPanel;
  }
  /// Rows a multiple of this apart compete for the same few places of the first level.
  bool rows_collide() const { return row_.a * extents_.bytes % kPage == 0; }

  /// Does the sum take so few steps that writing C takes most of the time? C is what the tiles of one panel write, or,
  /// where other loops over k come between, all of the result.
  bool writes_much() const {
    const ContractionLoops& loops = problem_.loops;
    const std::int64_t depth = ContractionLoops::product(loops.k);
    std::int64_t written = row_.size * column_.size;
    if (!tiled_.one_k_loop) written = ContractionLoops::product(loops.m) * ContractionLoops::product(loops.n);
    return !schedule_.paired && depth * extents_.bytes <= kShallowSum && row_.size > kShallowRows &&
           written * extents_.bytes > 2 * problem_.second_level;
  }

  std::int64_t matrix_bytes() const { return column_.size * depth_.size * extents_.bytes; }
  /// So few rows that reading B once is what takes time.
  bool may_stream() const {
    return row_.size <= kStreamedRows && tiled_.a.stored && !tiled_.must_pack_columns() && matrix_bytes() > kNearMatrix;
  }

  /// Would rows read B, whose columns are neighbours, too slowly in place? A panel's steps then lie far apart, or take
  /// single lines or vectors across two lines out of rows of B, for so many rows that a copy is paid for.
  bool misses_in_place() const {
    constexpr std::int64_t kManyTiles = 10, kNearNarrow = 15 << 10;
    const std::int64_t step = panel_width() * extents_.bytes;
    if (has_few_rows() || reads_across_in_place()) return false;
    if (depth_.b > kInPlaceVectors * registers_.width) return row_tiles() > tiles_in_place();
    if (has_many_registers() && tiled_.one_k_loop && depth_.b > panel_width())
      return row_tiles() > kFewTallTiles && panel_bytes_in_place() > kNearPanel;
    if (!is_narrow() || depth_.b <= panel_width()) return false;
    const bool is_far = depth_.size * step > kNearNarrow, lies_between_lines = depth_.b * extents_.bytes % kLine != 0;
    if (is_far) return row_tiles() > (lies_across() ? kSeveralTiles : kManyTiles);
    return lies_between_lines && row_tiles() > kSeveralTiles;
  }

  /// What a panel in place takes of the first level. Lines a page apart meet in one set there: steps of the panel that
  /// lie, say, a quarter of a page apart use few of the sets, and take as much as if these were all there are. Tiles of
  /// many rows read so slowly that the second level is as good.
  std::int64_t panel_bytes_in_place() const {
    const std::int64_t step = panel_width() * extents_.bytes;
    if (tile().rows >= kWideRows) return depth_.size * step;
    const std::int64_t apart = std::max(step, std::gcd(depth_.b * extents_.bytes, kPage)), steps = kPage / apart;
    return (depth_.size + steps - 1) / steps * kPage;
  }

  /// Panels of B that are not copied one by one, as a row tile meets them, but strips of them at once.
  bool is_narrow() const { return panel_width() * extents_.bytes < kWidePanel; }
  /// Where narrow panels are short, so many row tiles read far steps in place rather than a copy. Steps that are pages
  /// or half pages apart meet in one or two sets of the first level.
  std::int64_t tiles_in_place() const {
    constexpr std::int64_t kOneSet = 2, kTwoSets = 6;
    if (!is_narrow()) return 1;
    const std::int64_t apart = depth_.b * extents_.bytes;
    if (apart % kPage == 0) return kOneSet;
    return apart % (kPage / 2) == 0 ? kTwoSets : kSeveralTiles;
  }
  std::int64_t row_tiles() const { return (row_.size + tile().rows - 1) / tile().rows; }

  /// Blocks for one loop over k; what has more, as convolutions do, is small, and runs in one piece.
  void choose_blocks() {
    schedule_.blocking = {row_.size, column_.size, extents_.depth};
    if (!tiled_.one_k_loop) return;
    const bool chained = problem_.keeps_sums && column_.c == 1;
    const bool streamed = may_stream() && !schedule_.pack_columns;
    const Blocking best = choose_blocking(extents_, tile(), registers_, problem_.second_level, false);
    const bool cut = row_.size > tile().rows || schedule_.pack_columns;
    // Sums that are not kept in C wait in scratch memory: worth it for the deepest only.
    const bool whole_depth = !cut || (!chained && extents_.depth <= 2 * best.depth);
    const bool row_by_row = writes_much() && column_.size > panel_width();
    const bool in_strips = cut && !chained && !schedule_.paired && lies_across() && !streamed;
    if (streamed)
      schedule_.blocking.depth = even_piece(depth_.size, kStreams);
    else if (row_by_row)
      schedule_.blocking = rows_of_strips();
    else if (in_strips)
      schedule_.blocking = strips();
    else
      schedule_.blocking =
          whole_depth ? choose_blocking(extents_, tile(), registers_, problem_.second_level, true) : best;
    if (cut && chained && is_narrow() && !row_by_row) keep_strips_near();
    schedule_.pack_rows =
        schedule_.paired || fixed_.pack_rows.value_or(!streamed && (!tiled_.a.stored || misses_rows() ||
                                                                    converts_rows() || (row_by_row && row_.a == 1)));
    if (schedule_.pack_rows && row_.a == 1 && !row_by_row && problem_.second_level < kRoomySecondLevel)
      schedule_.blocking.rows = std::max(schedule_.blocking.rows, long_run());
    if ((has_few_rows() || reads_across_in_place()) && !schedule_.pack_columns && cut && chained)
      schedule_.blocking.depth = even_piece(extents_.depth, most_depth_in_place());
    if (!schedule_.pack_rows && has_many_registers() && !row_by_row && chained && row_.a == 1)
      schedule_.blocking.rows = std::min(schedule_.blocking.rows, rows_across());
    if (!schedule_.pack_rows && has_many_registers() && !row_by_row && depth_.a == 1)
      schedule_.blocking.rows = std::max(schedule_.blocking.rows, rows_in_place());
    // Strips of B are for several blocks of rows that meet them.
    if (has_many_registers() && !is_narrow() && cut && !row_by_row && schedule_.blocking.rows >= row_.size)
      schedule_.blocking.columns = panel_width() * ((column_.size + panel_width() - 1) / panel_width());
  }

  std::int64_t most_depth_in_place() const {
    if (row_.a != 1) return kDepthInPlace;
    if (extents_.depth <= kUncutAcross) return extents_.depth;
    const bool is_near = (row_.size + column_.size) * kDepthInPlace * extents_.bytes <= problem_.second_level / 4;
    return is_near ? kDepthInPlace : kDepthAcross;
  }

  /// All of the depth and one tile's rows, along as many columns as stay well within the second level.
  Blocking rows_of_strips() const {
    const std::int64_t panels = (column_.size + panel_width() - 1) / panel_width();
    const std::int64_t panel_bytes = depth_.size * panel_width() * extents_.bytes;
    const std::int64_t most = std::max<std::int64_t>(1, problem_.second_level / 8 / panel_bytes);
    return {tile().rows, panel_width() * even_piece(panels, most), extents_.depth};
  }

  /// Where all rows meet a strip of B's panels before the next is copied, it stays in the second level until then. For
  /// few row tiles the copy is much of the work: its rows are read where they are long runs rather than to the end of
  /// the sums, which wait in C meanwhile. In place panels are shorter yet, and stay in the first level.
  void keep_strips_near() {
    Blocking& blocking = schedule_.blocking;
    if (row_tiles() < 2 || blocking.rows < row_.size) return;
    const bool short_panels = row_tiles() <= kFewTiles || !schedule_.pack_columns;
    const bool short_strips = lies_across() && !schedule_.pack_columns;
    const std::int64_t most_depth = short_strips ? kShortStrip : short_panels ? kShortPanel : 2 * kShortPanel;
    if (row_tiles() <= kSeveralTiles && !schedule_.paired && blocking.depth > most_depth)
      blocking.depth = even_piece(extents_.depth, most_depth);
    if (!schedule_.pack_columns) return;
    const std::int64_t panels = (column_.size + panel_width() - 1) / panel_width();
    const std::int64_t panel_bytes = blocking.depth * panel_width() * extents_.bytes;
    const std::int64_t most = std::max<std::int64_t>(1, problem_.second_level * 3 / 8 / panel_bytes);
    blocking.columns = std::min(blocking.columns, panel_width() * even_piece(panels, most));
  }

  /// Rows of A that are neighbours are copied step by step, each a run of memory: worth a block of A that leaves the
  /// second level where that would hold short runs only.
  std::int64_t long_run() const {
    constexpr std::int64_t kRun = 1024;
    return tile().rows * even_piece(row_tiles(), std::max<std::int64_t>(1, kRun / tile().rows));
  }

  /// Rows of A that are read where they are, as long runs: from the third level, too, as fast as a panel of B asks.
  std::int64_t rows_in_place() const {
    const std::int64_t tile_bytes = tile().rows * schedule_.blocking.depth * extents_.bytes;
    return tile().rows * even_piece(row_tiles(), std::max<std::int64_t>(1, kBlockInPlace / tile_bytes));
  }

  /// Rows of A that are neighbours and read where they are. What is read of B stays in the second level beside them: a
  /// panel that is a copy, or all panels where they are if that is possible.
  std::int64_t rows_across() const {
    const std::int64_t line = schedule_.blocking.depth * extents_.bytes;
    if (!schedule_.pack_columns && (row_.size + column_.size) * line <= problem_.second_level * 3 / 4) return row_.size;
    const std::int64_t bytes = problem_.second_level * (schedule_.pack_columns ? 3 : 1) / 16;
    return tile().rows * even_piece(row_tiles(), std::max<std::int64_t>(1, bytes / (tile().rows * line)));
  }

  /// Does each step of a deep sum read a row of either operand, as in the gradient of a weight?
  bool lies_across() const {
    return row_.a == 1 && column_.b == 1 && extents_.depth * extents_.bytes > 2 * kStripDepth;
  }

  /// Blocks of so few steps that much of each row belongs to one: of whole depth, they would take a line or two out of
  /// each.
  Blocking strips() const {
    Extents strip = extents_;
    strip.depth = even_piece(extents_.depth, (has_many_registers() ? kLongStripDepth : kStripDepth) / extents_.bytes);
    return choose_blocking(strip, tile(), registers_, problem_.second_level, true);
  }

  /// Would rows of A, which are read once for each panel of B, be missing in the cache by then?
  bool misses_rows() const {
    const std::int64_t a_bytes = row_.size * schedule_.blocking.depth * extents_.bytes;
    // Rows that are neighbours lie on another line at each step of k.
    const bool across = row_.a == 1;
    const std::int64_t apart = (across ? depth_.a : row_.a) * extents_.bytes;
    // With many registers a panel is met by so many rows that A may come from far.
    if (has_many_registers() && !meets_in_one_set()) return false;
    const std::int64_t far = across && !has_many_registers() ? kPage / 4 : kPage;
    // Bytes of A that stay in the cache with B beside them.
    const std::int64_t near_rows = problem_.second_level / (across ? 4 : 2);
    return (across || depth_.a == 1) && row_.size > tile().rows &&
           column_.size >= kPanelsOfCopiedRows * panel_width() && a_bytes > near_rows &&
           (apart >= far || a_bytes > 4 * near_rows);
  }

  /// Are rows of A that must be converted read by several panels of B?
  bool converts_rows() const {
    return is_converted(tiled_.a) && (row_.a == 1 || depth_.a == 1) && column_.size > panel_width();
  }

  const PartialSchedule& fixed_;
  const ContractionProblem& problem_;
  Registers registers_;
  bool transposed_ = false;
  TiledProblem tiled_;
  const Loop &row_ = tiled_.row, &column_ = tiled_.column, &depth_ = tiled_.depth;  ///< what the tile covers
  Extents& extents_ = tiled_.extents;
  ContractionSchedule schedule_;
};

std::string describe(const std::vector<Loop>& loops) {
  std::string text;
  for (const Loop& loop : loops) text += fmt::format(" {}({} {} {})", loop.size, loop.a, loop.b, loop.c);
  return text;
}

std::string describe(const ContractionProblem::Operand& operand) {
  return fmt::format("{}{}", name_of(operand.dtype), operand.stored ? "" : " computed");
}

}  // namespace

DType packed_type(DType stored, DType accumulate) {
  return stored == DType::f16 || stored == DType::bf16 ? accumulate : stored;
}

double ContractionProblem::flop() const {
  double flop = 2;
  for (const std::vector<Loop>* each : {&loops.batch, &loops.m, &loops.n, &loops.k})
    flop *= static_cast<double>(ContractionLoops::product(*each));
  return flop;
}

std::string describe(const ContractionProblem& problem) {
  const ContractionLoops& loops = problem.loops;
  return fmt::format("m{} n{} k{} batch{}, a {}, b {}, sums {}{}{}, {} registers of {}, {} KiB{}", describe(loops.m),
                     describe(loops.n), describe(loops.k), describe(loops.batch), describe(problem.a),
                     describe(problem.b), name_of(problem.accumulate), problem.keeps_sums ? " kept" : "",
                     problem.long_ending ? ", long ending" : "", problem.registers.vectors, problem.registers.width,
                     problem.second_level >> 10, problem.has_bf16_dot ? ", bf16 dot" : "");
}

std::string describe(const ContractionSchedule& schedule) {
  const Blocking& blocking = schedule.blocking;
  std::string text = fmt::format("tile {} x {}, blocks {} x {} x {}", schedule.tile.rows, schedule.tile.vectors,
                                 blocking.rows, blocking.columns, blocking.depth);
  if (schedule.pack_rows || schedule.pack_columns)
    text += fmt::format(", packs{}{}", schedule.pack_rows ? " A" : "", schedule.pack_columns ? " B" : "");
  if (schedule.paired) text += ", in pairs";
  return text + (schedule.transposed ? ", transposed" : "");
}

ContractionSchedule choose_schedule(const ContractionProblem& problem, const PartialSchedule& fixed) {
  return ScheduleChooser(problem, fixed).run();
}

ContractionSchedule choose_schedule(const ContractionProblem& problem, const ScheduleSource* source,
                                    kernel::Kernel& kernel) {
  if (!source || !*source) return choose_schedule(problem);
  kernel.contraction = describe(problem);
  const std::optional<ContractionSchedule> chosen = (*source)(problem);
  if (!chosen) return choose_schedule(problem);
  kernel.schedule = describe(*chosen);
  if (!is_valid(problem, *chosen))
    throw InternalError("lower: " + kernel.contraction + " cannot be cut as " + kernel.schedule);
  return *chosen;
}

bool is_valid(const ContractionProblem& problem, const ContractionSchedule& schedule) {
  const TiledProblem tiled(problem, schedule.transposed);
  const Tile& tile = schedule.tile;
  const Blocking& blocking = schedule.blocking;
  if (tile.rows < 1 || tile.vectors < 1 || tile.vectors > problem.registers.vectors) return false;
  if (tile.rows > problem.registers.vectors || (tile.rows + 1) * tile.vectors >= problem.registers.vectors)
    return false;
  if (tiled.must_pack_columns() && !schedule.pack_columns) return false;
  if (schedule.pack_rows ? !tiled.may_pack_rows() && !schedule.paired : tiled.must_pack_rows()) return false;
  const Extents& all = tiled.extents;
  const Blocking whole{all.rows, all.columns, all.depth};
  if (schedule.paired != is_paired(problem)) return false;
  if (schedule.paired && !(schedule.pack_columns && schedule.pack_rows)) return false;
  if (!tiled.one_k_loop) return blocking == whole;
  const auto fits = [](std::int64_t block, std::int64_t unit, std::int64_t total) {
    return block >= 1 && (block % unit == 0 ? block - total < unit : block == total);
  };
  return fits(blocking.rows, tile.rows, all.rows) &&
         fits(blocking.columns, tile.vectors * problem.registers.width, all.columns) &&
         fits(blocking.depth, schedule.paired ? kPairedGroup : 1, all.depth);
}

}  // namespace pullback::lower
