// The schedules that a search for a faster one tries: near what the rules choose, and few.
#include <algorithm>

#include "compiler/lower/contraction_packing.h"
#include "compiler/lower/contraction_schedule.h"

namespace pullback::lower {
namespace {

class Variations {
 public:
  Variations(const ContractionProblem& problem, const ContractionSchedule& base) : problem_(problem), base_(base) {
    ContractionLoops loops = problem.loops;
    if (base.transposed) swap_operands(loops);
    const TileLoops tile = take_tile_loops(loops);
    extents_ = {tile.row.size, tile.column.size, tile.depth.size, 1};
  }

  std::vector<ContractionSchedule> run(Variation variation) {
    switch (variation) {
      case Variation::operands:
        vary_operands();
        break;
      case Variation::tile:
        vary_tile();
        break;
      case Variation::blocks:
        vary_blocks();
        break;
    }
    return std::move(found_);
  }

 private:
  void add(const ContractionSchedule& schedule) {
    if (schedule == base_ || !is_valid(problem_, schedule)) return;
    if (std::find(found_.begin(), found_.end(), schedule) == found_.end()) found_.push_back(schedule);
  }
  void add_with(const PartialSchedule& fixed) { add(choose_schedule(problem_, fixed)); }

  /// The operands exchanged, and copied or not.
  void vary_operands() {
    const bool a = base_.pack_rows, b = base_.pack_columns;
    add_with({.transposed = base_.transposed, .tile = base_.tile, .pack_columns = !b, .pack_rows = a});
    add_with({.transposed = base_.transposed, .tile = base_.tile, .pack_columns = b, .pack_rows = !a});
    add_with({.transposed = base_.transposed, .tile = base_.tile, .pack_columns = !b, .pack_rows = !a});
    add_with({.transposed = !base_.transposed});
  }

  /// For each width the most rows that fit, and the most of which all tiles have as many.
  void vary_tile() {
    const std::int64_t available = problem_.registers.vectors - 1, width = problem_.registers.width;
    const std::int64_t needed = (extents_.columns + width - 1) / width;
    const std::int64_t widest = std::min<std::int64_t>(needed, problem_.registers.vectors == 32 ? 6 : 4);
    for (std::int64_t vectors = 1; vectors <= widest; ++vectors) {
      const std::int64_t most = std::min<std::int64_t>({(available - vectors) / vectors, 14, extents_.rows});
      std::int64_t even = most;
      while (even > 1 && extents_.rows % even != 0) --even;
      for (const std::int64_t rows : {most, even})
        if (rows >= 1 && (rows == most || 2 * rows * vectors >= available))
          add_with({.transposed = base_.transposed,
                    .tile = Tile{rows, vectors},
                    .pack_columns = base_.pack_columns,
                    .pack_rows = base_.pack_rows});
    }
  }

  /// Blocks of half and twice the size, and uncut.
  void vary_blocks() {
    const std::int64_t panel = base_.tile.vectors * problem_.registers.width;
    const auto with = [&](std::int64_t Blocking::* size, std::int64_t unit, std::int64_t total, std::int64_t wanted) {
      const std::int64_t units = (total + unit - 1) / unit;
      ContractionSchedule schedule = base_;
      schedule.blocking.*size =
          wanted >= total ? unit * units : unit * even_piece(units, std::max<std::int64_t>(1, wanted / unit));
      if (std::min(schedule.blocking.*size, total) != std::min(base_.blocking.*size, total)) add(schedule);
    };
    const Blocking& b = base_.blocking;
    for (const std::int64_t depth : {b.depth / 4, b.depth / 2, 2 * b.depth, extents_.depth})
      if (depth >= kPairedGroup) with(&Blocking::depth, base_.paired ? kPairedGroup : 1, extents_.depth, depth);
    for (const std::int64_t rows : {b.rows / 2, 2 * b.rows, extents_.rows})
      with(&Blocking::rows, base_.tile.rows, extents_.rows, rows);
    if (!base_.pack_columns) return;
    for (const std::int64_t columns : {b.columns / 4, b.columns / 2, 2 * b.columns, extents_.columns})
      with(&Blocking::columns, panel, extents_.columns, columns);
  }

  const ContractionProblem& problem_;
  const ContractionSchedule& base_;
  Extents extents_;
  std::vector<ContractionSchedule> found_;
};

}  // namespace

std::vector<ContractionSchedule> vary(const ContractionProblem& problem, const ContractionSchedule& base,
                                      Variation variation) {
  return Variations(problem, base).run(variation);
}

}  // namespace pullback::lower
