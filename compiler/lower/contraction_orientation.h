// Which of a contraction's operands lies along the vectors, and which loops its tile covers.
#pragma once

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {

/// Elements of k in a packed panel of several loops.
constexpr std::int64_t kPanelDepth = 1024;

/// The position of the loop that a tile's rows run over: rows may lie at any distance; the longest loop, of equal ones
/// the innermost.
std::size_t row_of(const std::vector<Loop>& m);
/// The one of its columns, which should be neighbours in B.
std::size_t column_of(const std::vector<Loop>& n);

/// Is C computed faster as its transpose, with A and B exchanged?
bool transposed_costs_less(const ContractionLoops& loops, const Registers& registers);
/// Exchanges A and B.
void swap_operands(ContractionLoops& loops);
void swap_operands(ContractionShape& shape);

/// The loops that a tile runs over.
struct TileLoops {
  Loop row, column, depth;
};
/// Takes them out of `loops`: what remains is around the tile.
TileLoops take_tile_loops(ContractionLoops& loops);

/// Where A has no rows, a filter for each channel, rows of pixels take their place, so that a tile has sums enough: how
/// many of them and of vectors a tile has. `several`: the filter has other rows than that along the depth.
Tile filter_tile(const TileLoops& loops, bool several, const Registers& registers);

/// Takes the innermost loops over n whose tiles read up to `most` elements of B, and of whose outer ones, over batch, m
/// and n, at least `fewest` iterations are left. `nested` loops are in each tile.
std::vector<Loop> take_near_loops(ContractionLoops& loops, const TileLoops& tile, const std::vector<Loop>& nested,
                                  std::int64_t fewest, std::int64_t most);

/// Do rows meet what other rows meet in an earlier step, as those of an image do that a filter slides along?
bool slides_along(const Loop& row, const Loop& step);
/// Where each channel has a filter (A has no rows), the steps in which rows of pixels meet others are walked last.
void order_taps(ContractionLoops& loops);

}  // namespace pullback::lower
