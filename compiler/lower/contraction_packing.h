// How a contraction's operands are copied to scratch memory, in the order in which tiles read them.
#pragma once

#include <functional>
#include <vector>

#include "compiler/ir/kernel/builder.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {

/// Where an operand comes from.
struct PackingSource {
  /// What is stored for row (or column) `i` and step `d` of the depth, written within a vector loop.
  using Element = std::function<kernel::Value*(const kernel::Index& i, const kernel::Index& d)>;
  /// Steps that are alike. Neighbours of one piece of them lie side by side in memory along the depth, if any do.
  struct Run {
    Segment steps;
    Element element;
  };
  std::vector<Run> runs;     ///< one behind the other
  bool along_depth = false;  ///< neighbours in memory lie along the depth
  int width = 1;             ///< elements of a vector loop

  std::int64_t depth() const { return runs.back().steps.begin + runs.back().steps.count * runs.back().steps.size; }
};

/// Two bf16 elements in one u32, for half as many steps: of each 32 steps, the later ones above the earlier ones, so
/// that neighbours stay neighbours. The last one of an odd depth has a zero above it. `element` gives bf16.
PackingSource pairs_of(kernel::Builder& build, const PackingSource::Element& element, std::int64_t depth,
                       bool along_depth, int width);
/// How many steps depth() then has, and of how many steps cuts of the depth must be multiples, lest they change pairs.
std::int64_t paired_steps(std::int64_t depth);
inline constexpr std::int64_t kPairedGroup = 32;

/// Elements of a panel of `columns` for each step of the depth: whole vectors of `width`.
std::int64_t panel_pitch(std::int64_t columns, std::int64_t width);

/// Columns of B as a panel: `pitch` elements for each step of the depth, from `to` on.
void pack_panel(kernel::Builder& build, const PackingSource& source, std::int64_t columns, int panel,
                const kernel::Index& to, std::int64_t pitch);

/// Neighbouring panels of columns, as balanced_columns cuts them with vectors of `width`: the panel of column c starts
/// at c * source.depth(), and has the pitch of its columns.
void pack_strip(kernel::Builder& build, const PackingSource& source, const std::vector<Segment>& panels, int strip,
                std::int64_t width);

/// How rows of A lie in scratch memory. Those whose depth is contiguous stay rows, a little apart lest they meet in the
/// same sets of the cache; others become tiles, [depth][row of the tile].
class PackedRows {
 public:
  PackedRows() = default;
  PackedRows(std::int64_t tile_rows, std::int64_t depth, bool along_depth)
      : tile_rows_(tile_rows), depth_(depth), along_depth_(along_depth) {}

  std::int64_t elements(std::int64_t rows) const;
  /// Of the tile number `tile` of `size` rows, which starts at `row`.
  kernel::Index base(const kernel::Index& tile, const kernel::Index& row) const;
  std::int64_t stride_row() const { return along_depth_ ? pitch() : 1; }
  std::int64_t stride_depth(std::int64_t size) const { return along_depth_ ? 1 : size; }

  /// Copies `rows`, cut into the tiles of balanced(rows, tile_rows), over at most the depth.
  void pack(kernel::Builder& build, const PackingSource& source, std::int64_t rows, int to) const;

 private:
  std::int64_t pitch() const;  ///< from row to row, or from tile to tile

  std::int64_t tile_rows_ = 1, depth_ = 1;
  bool along_depth_ = true;
};

}  // namespace pullback::lower
