// The sizes of a contraction's tiles and blocks. They decide speed only, never a result: every element is one chain of
// fused multiply-adds over k, however it is cut.
#pragma once

#include <cstdint>
#include <vector>

namespace pullback::lower {

/// `count` neighbouring pieces of `size` each, from `begin` on.
struct Segment {
  std::int64_t begin = 0, count = 1, size = 1;
};

/// Cuts `total` into as few pieces of at most `most` as possible, sizes differing by one unit at most.
std::vector<Segment> balanced(std::int64_t total, std::int64_t most);
/// The same for columns in vectors of `width`, the last of which may be partial; sizes are in elements.
std::vector<Segment> balanced_columns(std::int64_t columns, std::int64_t width, std::int64_t vectors);

/// Cuts `total` into pieces of `size`, and one of what is left.
std::vector<Segment> pieces(std::int64_t total, std::int64_t size);

struct Registers {
  std::int64_t vectors = 16;  ///< how many there are
  std::int64_t width = 8;     ///< elements in each
};

struct Tile {
  std::int64_t rows = 1, vectors = 1;
  bool operator==(const Tile&) const = default;
};

/// The register tile for an m x n result: rows*vectors accumulators, `vectors` of B and one of A fit the registers.
Tile choose_tile(std::int64_t m, std::int64_t n, const Registers& registers);

/// The largest equal pieces of at most `most`, if not many more of them are needed than of unequal ones; else those.
std::int64_t even_piece(std::int64_t total, std::int64_t most);

/// What a contraction's loops cover, and the size of an element.
struct Extents {
  std::int64_t rows = 1, columns = 1, depth = 1, bytes = 4;
};

/// What stays in the cache: `rows` x `depth` of A in the second level, beside a panel of B as wide as a tile; the other
/// panels of `columns` x `depth` of B wait in the third. Rows and columns are whole tiles.
struct Blocking {
  std::int64_t rows = 1, columns = 1, depth = 1;
  bool operator==(const Blocking&) const = default;
};
/// `second_level`: its bytes. `whole_depth`: the depth is not cut.
Blocking choose_blocking(const Extents& extents, const Tile& tile, const Registers& registers,
                         std::int64_t second_level, bool whole_depth);

/// Pieces of rows or columns that run in parallel: `count` of `size`, the last of `last` elements.
struct Split {
  std::int64_t count = 1, size = 1, last = 1;
};
/// Cuts `total` into at most `most` pieces: equal ones, multiples of `grain`, where they take no more units of `unit`
/// than there are in all, else whole units and what is left.
Split split(std::int64_t total, std::int64_t unit, std::int64_t grain, std::int64_t most);

/// A grid of parts that run in parallel.
struct Grid {
  Split rows, columns;
  std::int64_t count() const { return rows.count * columns.count; }
};
/// At most `most` parts that two and four threads share evenly; of those, the ones that repeat least packing.
Grid choose_grid(const Extents& extents, const Tile& tile, const Registers& registers, std::int64_t most,
                 bool pack_rows, bool pack_columns, std::int64_t second_level);

}  // namespace pullback::lower
