// The register tile of a direct convolution: which of its loops are the tile's rows, and how many rows and vectors of
// columns fit the registers.
#pragma once

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {

struct DirectTile {
  Tile tile;
  Loop row;                              ///< one row, if no loop can be
  std::int64_t run = 0, stride_run = 0;  ///< rows that are two loops: see kernel::Contract::A
};

/// Takes the rows from the loops of `shape`, from which those over `columns`, and over images, have been taken. A tile
/// that `is_turned` stores its columns along its rows: these are up to a vector.
DirectTile choose_direct_tile(ContractionShape& shape, const Loop& columns, const Registers& registers,
                              bool is_depthwise, bool is_turned);

/// Does a bound depend on the loop?
bool is_bounded(const ContractionShape& shape, const Loop& loop);

}  // namespace pullback::lower
