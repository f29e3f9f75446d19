#include "compiler/lower/direct_tile.h"

#include <algorithm>
#include <cstdlib>

#include "compiler/lower/contraction_orientation.h"

namespace pullback::lower {
namespace {

/// Loops that cut rows are repeated in the code, for as many taps.
constexpr std::int64_t kMostTaps = 16;
/// Rows that lie so far apart meet in the same few lines of the cache.
constexpr std::int64_t kFarBytes = 2048;
/// A filter that slides along fewer rows than these gains little; and of so many taps, all are in the code.
constexpr std::int64_t kFewestSlidingRows = 4, kMostSlidingTaps = 9;
/// Fewer rows of a tile that is turned are turned with more vectors of columns: a row is an element of x to load.
constexpr std::int64_t kFewestTurnedRows = 12;
/// Sums that need not wait for each other.
constexpr std::int64_t kEnoughSums = 10;

std::int64_t extent_of(const std::vector<Loop>& loops, std::size_t dimension) {
  for (const Loop& loop : loops)
    if (loop.dimensions.size() == 1 && loop.dimensions[0] == dimension) return loop.size;
  return 1;
}

class TileChooser {
 public:
  TileChooser(ContractionShape& shape, const Loop& columns, const Registers& registers, bool is_depthwise,
              bool is_turned)
      : shape_(shape),
        registers_(registers),
        bytes_(static_cast<std::int64_t>(size_of(shape.spec.accumulate))),
        columns_(columns.size),
        is_depthwise_(is_depthwise),
        is_turned_(is_turned) {}

  DirectTile run() {
    if (choose_sliding_row()) return chosen_;
    choose_row();
    join_row();
    chosen_.tile = tile_for(chosen_.row.size);
    return chosen_;
  }

 private:
  /// One vector of columns leaves registers for many rows. Tiles that are turned are squares then, or nearly: there is
  /// no work for rows that they do not have, and whole vectors are stored.
  Tile tile_for(std::int64_t rows) const {
    const std::int64_t square = balanced(rows, registers_.width).front().size;
    if (is_turned_ && registers_.vectors == 32 && square >= kFewestTurnedRows) return {square, 1};
    Tile tile = choose_tile(rows, columns_, registers_);
    if (tile.vectors == 1 && registers_.vectors == 32) tile.rows = std::min<std::int64_t>(rows, 28);
    return tile;
  }

  /// A depthwise tile that keeps one row of taps in registers loads each pixel once for all rows that meet it. One
  /// vector of channels leaves registers for most rows.
  bool choose_sliding_row() {
    if (!is_depthwise_ || registers_.vectors < 32 || shape_.k.empty()) return false;
    const auto nearer = [](const Loop& x, const Loop& y) { return std::abs(x.b) < std::abs(y.b); };
    const Loop& taps = *std::min_element(shape_.k.begin(), shape_.k.end(), nearer);
    const auto row = std::min_element(shape_.n.begin(), shape_.n.end(), nearer);
    if (taps.size < 2 || taps.size > kMostSlidingTaps || row == shape_.n.end()) return false;
    if (row->size < kFewestSlidingRows || !slides_along(*row, taps) || !can_be_row(*row)) return false;
    chosen_.row = *row;
    shape_.n.erase(row);
    const std::int64_t available = registers_.vectors - 1, most = is_turned_ ? registers_.width : registers_.vectors;
    const std::int64_t rows = balanced(chosen_.row.size, std::min(most, available - taps.size)).front().size,
                       wanted = (kEnoughSums + rows - 1) / rows,
                       vectors = (columns_ + registers_.width - 1) / registers_.width;
    chosen_.tile = {rows, std::clamp<std::int64_t>(std::min(wanted, available / (rows + taps.size)), 1, vectors)};
    return true;
  }

  /// May the loop be the tile's rows? Which of them lie in bounds must be known when code is written. Of one loop that
  /// cuts rows only the ends are repeated: it may be long where no other one runs in it.
  bool can_be_row(const Loop& loop) const {
    return std::all_of(shape_.bounds.begin(), shape_.bounds.end(), [&](const CoordinateBound& bound) {
      if (bound.step(loop) == 0) return true;
      std::int64_t taps = 1, loops = 0;
      for (const auto& term : bound.terms) {
        const std::int64_t extent = extent_of(shape_.k, term.dimension);
        taps *= extent;
        loops += extent > 1 ? 1 : 0;
        if (term.dimension != loop.dimensions[0] && extent_of(shape_.n, term.dimension) > 1) return false;
      }
      return taps <= kMostTaps || (is_depthwise_ && loops == 1);
    });
  }

  /// Would tiles with these rows walk from image to image? So they do in the gradient of the kernels with taps as rows,
  /// which are cut by all pixels of a row: each line of x is then fetched once for each of its pixels.
  bool walks_far(const Loop& row) const {
    bool cut = false;
    std::int64_t nearest = 0;
    for (const Loop& loop : shape_.k) {
      bool bounded = false;
      for (const CoordinateBound& bound : shape_.bounds) {
        bounded = bounded || bound.step(loop) != 0;
        cut = cut || (bound.step(loop) != 0 && bound.step(row) != 0 && loop.size > row.size);
      }
      if (!bounded && (nearest == 0 || std::abs(loop.b) < nearest)) nearest = std::abs(loop.b);
    }
    return cut && nearest * bytes_ >= kFarBytes;
  }

  /// The loop that fills tiles best; of equals the one whose elements are nearest.
  void choose_row() {
    std::ptrdiff_t best = -1;
    std::int64_t most = 0;
    for (std::size_t i = 0; i < shape_.n.size(); ++i) {
      const Loop& loop = shape_.n[i];
      if (!can_be_row(loop)) continue;
      std::int64_t rows = 2 * balanced(loop.size, tile_for(loop.size).rows).back().size;
      if (std::abs(loop.b) * bytes_ >= kFarBytes || walks_far(loop)) rows /= 2;
      if (rows < most || (rows == most && std::abs(loop.b) > std::abs(shape_.n[static_cast<std::size_t>(best)].b)))
        continue;
      best = static_cast<std::ptrdiff_t>(i);
      most = rows;
    }
    if (best < 0) return;
    chosen_.row = shape_.n[static_cast<std::size_t>(best)];
    shape_.n.erase(shape_.n.begin() + best);
  }

  /// So few rows that their sums wait for each other, as those of the taps of one row of a filter do: the taps of its
  /// other rows belong to the tile, too, where C has all of them one behind the other.
  void join_row() {
    constexpr std::int64_t kFewSums = 8, kMostSums = 28;
    Loop& row = chosen_.row;
    if (registers_.vectors < 32 || row.size < 2 || is_bounded(shape_, row)) return;
    const std::int64_t vectors = std::min((columns_ + registers_.width - 1) / registers_.width, kFewSums);
    if (row.size * vectors >= kFewSums) return;
    for (std::size_t i = 0; i < shape_.n.size(); ++i) {
      const Loop loop = shape_.n[i];
      const std::int64_t rows = loop.size * row.size;
      if (loop.c != row.c * row.size || is_bounded(shape_, loop) || rows * vectors > kMostSums) continue;
      if (tile_for(rows).rows < rows) continue;
      chosen_.run = row.size;
      chosen_.stride_run = loop.b;
      row.size = rows;
      row.dimensions.insert(row.dimensions.begin(), loop.dimensions.begin(), loop.dimensions.end());
      shape_.n.erase(shape_.n.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  }

  ContractionShape& shape_;
  const Registers registers_;
  const std::int64_t bytes_, columns_;
  const bool is_depthwise_;
  const bool is_turned_;
  DirectTile chosen_;
};

}  // namespace

DirectTile choose_direct_tile(ContractionShape& shape, const Loop& columns, const Registers& registers,
                              bool is_depthwise, bool is_turned) {
  return TileChooser(shape, columns, registers, is_depthwise, is_turned).run();
}

bool is_bounded(const ContractionShape& shape, const Loop& loop) {
  return std::any_of(shape.bounds.begin(), shape.bounds.end(),
                     [&](const CoordinateBound& bound) { return bound.step(loop) != 0; });
}

}  // namespace pullback::lower
