#include "compiler/lower/winograd_tiles.h"

#include <algorithm>

namespace pullback::lower {

using kernel::Index;

WinogradTiles::WinogradTiles(Emitter& emitter, DType dtype, const LoopOptions& options)
    : emitter_(emitter),
      options_(options),
      dtype_(dtype),
      bytes_(static_cast<std::int64_t>(size_of(dtype))),
      registers_{options.vector_registers, options.vector_bytes / bytes_} {}

std::int64_t WinogradTiles::block_of(std::int64_t tiles, std::int64_t channels, std::int64_t rows) const {
  const std::int64_t most = std::max(rows, options_.second_level / 3 / (kTileProducts * channels * bytes_));
  if (tiles <= most) return tiles;
  for (std::int64_t size = most; size > most / 2; --size)
    if (tiles % size == 0) return size;
  return most / rows * rows;
}

TileMatrices WinogradTiles::matrices(const char* name, std::int64_t rows, std::int64_t channels) {
  const std::int64_t line = 64 / bytes_, lines = (rows * channels + line - 1) / line;
  const std::int64_t pitch = (lines % 2 == 0 ? lines + 1 : lines) * line;
  return {build().buffer(name, dtype_, kTileProducts * pitch, kernel::Access::scratch), channels, pitch};
}

kernel::Value* WinogradTiles::is_inside(const Index& index, std::int64_t size) {
  kernel::Value* condition = nullptr;
  const kernel::Range range = index.range();
  if (range.low < 0) condition = build().ge(build().index_value(index), build().integer(DType::i64, 0));
  if (range.high < size) return condition;
  return both(condition, build().lt(build().index_value(index), build().integer(DType::i64, size)));
}

kernel::Value* WinogradTiles::both(kernel::Value* x, kernel::Value* y) {
  return x && y ? build().bit_and(x, y) : x ? x : y;
}

void WinogradTiles::repeat(const char* name, const Segment& segment, const std::function<void(const Index&)>& body) {
  if (segment.count == 1) return emitter_.scoped([&] { body(Index(segment.begin)); });
  build().serial_loop(name, segment.count,
                      [&](const Index& i) { emitter_.scoped([&] { body(segment.begin + i * segment.size); }); });
}

void WinogradTiles::transform(const TiledImages& images, const ImageSquare& square, const Index& first,
                              const Transform& transform, const TileMatrices& to, const Index& row) {
  std::vector<Index> rows, columns;
  std::vector<kernel::Value*> row_inside, column_inside;
  for (std::int64_t i = 0; i < square.size; ++i) {
    rows.push_back(square.row + i);
    columns.push_back(square.column + i);
    row_inside.push_back(is_inside(rows.back(), images.rows));
    column_inside.push_back(is_inside(columns.back(), images.columns));
  }
  const std::vector<std::int64_t>& strides = images.view.strides;
  build().vector_loop("c", to.channels, static_cast<int>(registers_.width), 1, [&](const Index& c) {
    kernel::Value* zero = build().constant(dtype_, 0);
    const Index from = Index(images.view.offset) + square.image * strides[images.image_axis] +
                       (first + c) * strides[images.channel_axis];
    std::vector<kernel::Value*> elements;
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t j = 0; j < columns.size(); ++j) {
        const Index address = from + rows[i] * strides[2] + columns[j] * strides[3];
        kernel::Value* inside = both(row_inside[i], column_inside[j]);
        elements.push_back(inside ? build().load_if(inside, images.buffer, address, zero)
                                  : build().load(images.buffer, address));
      }
    const std::vector<kernel::Value*> transformed = ops::winograd::along_both(elements, square.size, transform);
    for (std::int64_t p = 0; p < kTileProducts; ++p)
      build().store(to.scratch, to.at(Index(p), row) + c, transformed[static_cast<std::size_t>(p)]);
  });
}

void WinogradTiles::each_part(std::int64_t groups, std::int64_t rows, std::int64_t columns, const Tile& tile,
                              const std::function<void(const Part&)>& write) {
  repeat("p", {0, kTileProducts, 1}, [&](const Index& product) {
    repeat("g", {0, groups, 1}, [&](const Index& group) {
      for (const Segment& some : balanced_columns(columns, registers_.width, tile.vectors))
        repeat("jt", some, [&](const Index& column) {
          for (const Segment& few : balanced(rows, tile.rows))
            repeat("it", few, [&](const Index& row) { write({product, group, row, column, few.size, some.size}); });
        });
    });
  });
}

}  // namespace pullback::lower
