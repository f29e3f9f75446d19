#include "compiler/lower/contraction_orientation.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace pullback::lower {
namespace {

constexpr double kDeep = 512;

double product(const std::vector<Loop>& loops) {
  return static_cast<double>(ContractionShape::product(loops));
}

/// About how long the sums take, in vectors of products, when the columns are those of `n` (whose strides in their
/// operand and in C are given): vectors that are not full, tiles so small that loads take longer than sums, and
/// elements that must be moved across their memory order: packed so, stored as the transpose of a tile, or stored one
/// by one, which is slowest, and in the epilogue of each tile a lot of code. Rows that are neighbours in memory are
/// taken in small pieces at each step of k, which is slow where these are too many to be near.
double cost(const std::vector<Loop>& k, const std::vector<Loop>& m, const std::vector<Loop>& n, std::size_t column,
            std::int64_t Loop::* stride, std::int64_t Loop::* row_stride, const Registers& registers) {
  const Loop columns = n.empty() ? Loop{} : n[column];
  const std::int64_t vectors = (columns.size + registers.width - 1) / registers.width;
  const double sums =
      product(m) * product(n) / static_cast<double>(columns.size) * static_cast<double>(vectors) * product(k);
  const double wide = static_cast<double>(std::min<std::int64_t>(vectors, 3));
  const Loop row = m.empty() ? Loop{} : m[row_of(m)];
  const double rows = static_cast<double>(std::min<std::int64_t>(row.size, vectors == 1 ? 14 : 8));
  const double loads = std::max(1.0, (rows + wide) / (rows * wide));
  // A panel is packed anew for all but the rows, and where it does not hold all of k, for each tile of these.
  double packs = product(m) / static_cast<double>(row.size);
  if (k.size() > 1 && ContractionShape::product(k) > kPanelDepth) packs *= static_cast<double>(row.size) / rows;
  const double pieces = k.size() == 1 && product(k) >= kDeep && row.*row_stride == 1 ? product(m) * product(k) : 0;
  return sums * loads + pieces + (columns.*stride == 1 ? 0 : packs * product(k) * product(n)) +
         (columns.c == 1 ? 0 : (row.c == 1 ? 1 : 8) * product(m) * product(n));
}

}  // namespace

std::size_t row_of(const std::vector<Loop>& m) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < m.size(); ++i)
    if (m[i].size >= m[best].size) best = i;
  return best;
}

std::size_t column_of(const std::vector<Loop>& n) {
  for (std::size_t i = n.size(); i-- > 0;)
    if (n[i].b == 1) return i;
  return n.empty() ? 0 : n.size() - 1;
}

bool transposed_costs_less(const ContractionLoops& loops, const Registers& registers) {
  const std::int64_t m = ContractionLoops::product(loops.m), n = ContractionLoops::product(loops.n);
  if (n == 1) return m > 1;
  if (m == 1) return false;
  std::size_t rows = loops.m.size() - 1;  // the columns when transposed
  for (std::size_t i = loops.m.size(); i-- > 0;)
    if (loops.m[i].a == 1) {
      rows = i;
      break;
    }
  return cost(loops.k, loops.n, loops.m, rows, &Loop::a, &Loop::b, registers) <
         cost(loops.k, loops.m, loops.n, column_of(loops.n), &Loop::b, &Loop::a, registers);
}

void swap_operands(ContractionLoops& loops) {
  std::swap(loops.m, loops.n);
  for (std::vector<Loop>* each : {&loops.batch, &loops.m, &loops.n, &loops.k})
    for (Loop& loop : *each) std::swap(loop.a, loop.b);
}

void swap_operands(ContractionShape& shape) {
  swap_operands(static_cast<ContractionLoops&>(shape));
  std::swap(shape.a, shape.b);
  std::swap(shape.a_offset, shape.b_offset);
}

bool slides_along(const Loop& row, const Loop& step) {
  return row.b > 0 && step.b > 0 && (step.b % row.b == 0 || row.b % step.b == 0) && step.b * (step.size - 1) >= row.b;
}

void order_taps(ContractionLoops& loops) {
  if (!loops.m.empty() || loops.n.size() < 2 || loops.k.size() < 2) return;
  const std::size_t last = loops.n.size() - 1;
  const Loop& row = loops.n[column_of(loops.n) == last ? last - 1 : last];
  const auto taps = std::find_if(loops.k.begin(), loops.k.end(), [&](const Loop& k) { return slides_along(row, k); });
  if (taps != loops.k.end()) std::rotate(taps, taps + 1, loops.k.end());
}

Tile filter_tile(const TileLoops& loops, bool several, const Registers& registers) {
  constexpr std::int64_t kFewTaps = 9;  // that stay in registers
  const auto& [row, column, depth] = loops;
  // With registers for them, the filter's elements under a pixel stay in these while the tile's rows slide past it.
  const bool slides =
      registers.vectors == 32 && several && depth.size > 1 && depth.size <= kFewTaps && slides_along(row, depth);
  const std::int64_t sums = registers.vectors - 2 - (slides ? depth.size : 0);
  const std::int64_t needed = (column.size + registers.width - 1) / registers.width;
  const std::int64_t vectors = std::min<std::int64_t>(needed, needed % 2 == 0 ? 2 : 3);
  return {even_piece(row.size, std::min(row.size, sums / vectors)), vectors};
}

std::vector<Loop> take_near_loops(ContractionLoops& loops, const TileLoops& tile, const std::vector<Loop>& nested,
                                  std::int64_t fewest, std::int64_t most) {
  std::int64_t reach = tile.column.size * tile.column.b + (tile.depth.size - 1) * std::abs(tile.depth.b);
  for (const Loop& loop : nested) reach += (loop.size - 1) * std::abs(loop.b);
  std::int64_t outer =
      ContractionLoops::product(loops.batch) * ContractionLoops::product(loops.m) * ContractionLoops::product(loops.n);
  std::vector<Loop> taken;
  while (!loops.n.empty()) {
    const Loop& loop = loops.n.back();
    reach += (loop.size - 1) * std::abs(loop.b);
    outer /= loop.size;
    if (outer < fewest || reach > most) break;
    taken.insert(taken.begin(), loop);
    loops.n.pop_back();
  }
  return taken;
}

TileLoops take_tile_loops(ContractionLoops& loops) {
  const auto take = [](std::vector<Loop>& from, std::size_t position) {
    if (from.empty()) return Loop{};
    Loop taken = from[position];
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(position));
    return taken;
  };
  return {take(loops.m, row_of(loops.m)), take(loops.n, column_of(loops.n)), take(loops.k, loops.k.size() - 1)};
}

}  // namespace pullback::lower
