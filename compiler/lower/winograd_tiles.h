// What the kernels of convolutions by Winograd's minimal filtering have in common: tiles of images are read with zeros
// around them, transformed, and become rows of matrices, a block of tiles at a time.
#pragma once

#include <functional>
#include <vector>

#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/loops.h"
#include "compiler/lower/tiling.h"
#include "compiler/ops/winograd.h"

namespace pullback::lower {

/// Products that a tile takes part in: one for each of its elements.
inline constexpr std::int64_t kTileProducts = ops::winograd::kTile * ops::winograd::kTile;

/// Images in memory: the axes of a view.
struct TiledImages {
  int buffer = -1;
  View view;
  std::size_t image_axis = 0, channel_axis = 1;  ///< rows and columns are axes 2 and 3
  std::int64_t rows = 0, columns = 0;            ///< of an image
};

/// A square of elements of an image, those outside of which are 0.
struct ImageSquare {
  kernel::Index image, row, column;  ///< of the first element
  int size = ops::winograd::kTile;
};

/// kTileProducts matrices in scratch memory, with a row for each tile of a block and a column for each channel. Their
/// distance is an odd number of lines of the cache: elements of all of them are written together.
struct TileMatrices {
  int scratch = -1;
  std::int64_t channels = 0, pitch = 0;

  kernel::Index at(const kernel::Index& product, const kernel::Index& row) const {
    return product * pitch + row * channels;
  }
};

class WinogradTiles {
 public:
  WinogradTiles(Emitter& emitter, DType dtype, const LoopOptions& options);

  const Registers& registers() const { return registers_; }

  /// How many of `tiles` make a block: what they are transformed to, for so many channels together, takes a part of the
  /// second level of the cache; but whole tiles of `rows` of a product do not grow smaller for that.
  std::int64_t block_of(std::int64_t tiles, std::int64_t channels, std::int64_t rows) const;
  TileMatrices matrices(const char* name, std::int64_t rows, std::int64_t channels);

  using Transform = std::function<std::vector<kernel::Value*>(const std::vector<kernel::Value*>&)>;
  /// Writes the square, transformed along both axes, to a row of the matrices, from channel `first` of the images on.
  void transform(const TiledImages& images, const ImageSquare& square, const kernel::Index& first,
                 const Transform& transform, const TileMatrices& to, const kernel::Index& row);

  /// The part of a product of matrices that a register tile computes. Rows and columns are those of a group.
  struct Part {
    kernel::Index product, group, row, column;
    std::int64_t rows = 0, columns = 0;
  };
  /// All products of `rows` x `columns` in each of some groups, cut into such tiles.
  void each_part(std::int64_t groups, std::int64_t rows, std::int64_t columns, const Tile& tile,
                 const std::function<void(const Part&)>& write);

  /// Is the index within [0, size)? Null: always.
  kernel::Value* is_inside(const kernel::Index& index, std::int64_t size);
  /// Null: always.
  kernel::Value* both(kernel::Value* x, kernel::Value* y);

  void repeat(const char* name, const Segment& segment, const std::function<void(const kernel::Index&)>& body);

 private:
  kernel::Builder& build() { return emitter_.build(); }

  Emitter& emitter_;
  const LoopOptions& options_;
  DType dtype_;
  std::int64_t bytes_;  ///< of an element
  Registers registers_;
};

}  // namespace pullback::lower
