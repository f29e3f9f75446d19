#include "compiler/lower/tiling.h"

#include <algorithm>

namespace pullback::lower {
namespace {

/// A narrower tile at the end of so many vectors hardly counts.
constexpr std::int64_t kManyVectors = 96;

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

std::vector<Segment> balanced(std::int64_t total, std::int64_t most) {
  const std::int64_t pieces = divide_up(total, most);
  const std::int64_t small = total / pieces, larger = total % pieces;
  std::vector<Segment> segments;
  if (larger) segments.push_back({0, larger, small + 1});
  if (pieces > larger) segments.push_back({larger * (small + 1), pieces - larger, small});
  return segments;
}

std::vector<Segment> balanced_columns(std::int64_t columns, std::int64_t width, std::int64_t vectors) {
  const std::int64_t whole = divide_up(columns, width);
  std::vector<Segment> segments = balanced(whole, vectors);
  for (Segment& s : segments) {
    s.begin *= width;
    s.size *= width;
  }
  const std::int64_t excess = whole * width - columns;
  if (excess == 0) return segments;
  Segment& last = segments.back();
  const std::int64_t tail = last.size - excess, begin = last.begin + (last.count - 1) * last.size;
  if (--last.count == 0) segments.pop_back();
  segments.push_back({begin, 1, tail});
  return segments;
}

std::vector<Segment> pieces(std::int64_t total, std::int64_t size) {
  const std::int64_t whole = total / size, rest = total % size;
  std::vector<Segment> segments;
  if (whole) segments.push_back({0, whole, size});
  if (rest) segments.push_back({whole * size, 1, rest});
  return segments;
}

Tile choose_tile(std::int64_t m, std::int64_t n, const Registers& registers) {
  const std::int64_t available = registers.vectors - 1, vectors_of_n = divide_up(n, registers.width);
  const auto rows_for = [&](std::int64_t vectors) { return (available - vectors) / vectors; };
  // Two or three vectors wide, so that all tiles are alike where that can be: each width, and each number of rows, is
  // code of its own. With 16 registers three are faster (4x3 loads 7 times for 12 products, 6x2 8 times), unless many
  // of the columns are in narrower tiles.
  const bool divides = vectors_of_n % 2 == 0;
  const bool wide = registers.vectors == 16 && (vectors_of_n % 3 == 0 || vectors_of_n >= kManyVectors);
  std::int64_t vectors = std::min<std::int64_t>(vectors_of_n, divides && !wide ? 2 : 3);
  const std::int64_t most_rows =
      registers.vectors == 32 && vectors == 3 ? 8 : std::min<std::int64_t>(rows_for(vectors), 14);
  std::int64_t rows = most_rows;
  // Fewer rows are as fast as long as there are sums enough: two units with a latency of four or five, and half as many
  // again for what loads cost where registers allow.
  const std::int64_t fewest_sums = registers.vectors == 32 ? 16 : 10;
  while ((rows - 1) * vectors >= fewest_sums && m % rows != 0) --rows;
  if (m % rows != 0) rows = most_rows;
  if (m < rows) {
    // Few rows: the registers they leave go to more columns.
    rows = m;
    const std::int64_t most = std::min<std::int64_t>(available / (m + 1), registers.vectors == 32 ? 12 : 6);
    vectors = std::clamp<std::int64_t>(vectors_of_n, 1, std::max<std::int64_t>(most, 1));
  }
  return {rows, vectors};
}

std::int64_t even_piece(std::int64_t total, std::int64_t most) {
  const std::int64_t fewest = divide_up(total, most);
  for (std::int64_t pieces = fewest; 2 * pieces <= 3 * fewest; ++pieces)
    if (total % pieces == 0) return total / pieces;
  return divide_up(total, fewest);
}

Blocking choose_blocking(const Extents& extents, const Tile& tile, const Registers& registers,
                         std::int64_t second_level, bool whole_depth) {
  constexpr std::int64_t kDepth = 4096;                  // bytes: what C's traffic costs is halved by twice the depth
  constexpr std::int64_t kColumns = 4 << 20;             // bytes of B
  const std::int64_t rows_bytes = second_level * 3 / 8;  // of A: a good part of the second level
  const std::int64_t all_rows_bytes = second_level * 9 / 16;  // what may fill it but for a panel of B
  Blocking blocking;
  std::int64_t most_depth = whole_depth ? extents.depth : kDepth / extents.bytes;
  // Few rows stay near whole, and a panel of B is used up as soon as it is packed, if not too many sums wait in C.
  const std::int64_t depth_of_all = all_rows_bytes / (extents.bytes * std::max<std::int64_t>(1, extents.rows));
  const bool all_rows = (whole_depth ? 1 : 2) * depth_of_all >= most_depth;
  if (all_rows) most_depth = std::min(most_depth, depth_of_all);
  blocking.depth = even_piece(extents.depth, most_depth);
  const std::int64_t line = blocking.depth * extents.bytes, panel = tile.vectors * registers.width;
  const auto cut = [&](std::int64_t total, std::int64_t unit, std::int64_t bytes) {
    return unit * even_piece(divide_up(total, unit), std::max<std::int64_t>(1, bytes / (unit * line)));
  };
  blocking.rows = all_rows ? tile.rows * divide_up(extents.rows, tile.rows) : cut(extents.rows, tile.rows, rows_bytes);
  blocking.columns = cut(extents.columns, panel, kColumns);
  return blocking;
}

Split split(std::int64_t total, std::int64_t unit, std::int64_t grain, std::int64_t most) {
  const std::int64_t units = divide_up(total, unit), pieces = std::min(units, most), equal = total / pieces;
  if (equal * pieces == total && equal % grain == 0 && pieces * divide_up(equal, unit) == units)
    return {pieces, equal, equal};
  const std::int64_t each = divide_up(units, pieces);
  const std::int64_t size = each * unit, count = divide_up(total, size);
  return {count, size, total - (count - 1) * size};
}

Grid choose_grid(const Extents& extents, const Tile& tile, const Registers& registers, std::int64_t most,
                 bool pack_rows, bool pack_columns, std::int64_t second_level) {
  const std::int64_t shared_columns = second_level / 2;  // bytes of B that each thread may have in its own cache
  constexpr double kPackedElement = 10;                  // in multiples of a multiplication within a tile
  const double m = static_cast<double>(extents.rows), n = static_cast<double>(extents.columns);
  Grid best;
  double least = 0;
  for (std::int64_t by_rows = 1; by_rows <= most; ++by_rows)
    for (std::int64_t by_columns = 1; by_rows * by_columns <= most; ++by_columns) {
      const Grid grid{split(extents.rows, tile.rows, 1, by_rows),
                      split(extents.columns, tile.vectors * registers.width, registers.width, by_columns)};
      // The time of the slowest of two and of four threads, as a multiple of an even share.
      double cost = 0;
      for (const std::int64_t threads : {2, 4})
        cost += static_cast<double>(divide_up(grid.count(), threads) * threads * grid.rows.size * grid.columns.size) /
                (2 * m * n);
      if (pack_rows) cost += kPackedElement * static_cast<double>(grid.columns.count) / n;
      if (pack_columns) cost += kPackedElement * static_cast<double>(grid.rows.count) / m;
      // What follows is split by rows, too, and finds its part where it was computed; a large B is better not read
      // twice.
      if (extents.columns * extents.depth * extents.bytes <= shared_columns) cost += 0.03 * (grid.columns.count - 1);
      // A smaller last part is code of its own.
      for (const Split& side : {grid.rows, grid.columns}) cost += side.last == side.size ? 0 : 0.02;
      if (least == 0 || cost < least) {
        least = cost;
        best = grid;
      }
    }
  return best;
}

}  // namespace pullback::lower
