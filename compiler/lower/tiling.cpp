#include "compiler/lower/tiling.h"

#include <algorithm>

namespace pullback::lower {
namespace {

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

Tile choose_tile(std::int64_t m, std::int64_t n, const Registers& registers) {
  const std::int64_t available = registers.vectors - 1, vectors_of_n = divide_up(n, registers.width);
  const auto rows_for = [&](std::int64_t vectors) { return (available - vectors) / vectors; };
  // Wide results: 8x3 or 14x2 (4x3, 6x2 with half the registers).
  std::int64_t vectors = std::min<std::int64_t>(vectors_of_n, vectors_of_n == 4 || vectors_of_n == 2 ? 2 : 3);
  std::int64_t rows = std::min<std::int64_t>(rows_for(vectors), 14);
  if (vectors == 3 && registers.vectors == 32) rows = 8;
  if (m < rows) {
    // Few rows: the registers they leave go to more columns.
    rows = m;
    const std::int64_t most = std::min<std::int64_t>(available / (m + 1), registers.vectors == 32 ? 12 : 6);
    vectors = std::clamp<std::int64_t>(vectors_of_n, 1, std::max<std::int64_t>(most, 1));
  }
  return {rows, vectors};
}

Split split(std::int64_t total, std::int64_t unit, std::int64_t most) {
  const std::int64_t units = divide_up(total, unit);
  const std::int64_t each = divide_up(units, std::min(units, most));
  const std::int64_t size = each * unit, count = divide_up(total, size);
  return {count, size, total - (count - 1) * size};
}

}  // namespace pullback::lower
