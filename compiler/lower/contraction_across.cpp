#include "compiler/lower/contraction_across.h"

#include "compiler/lower/tiling.h"

namespace pullback::lower {

using kernel::Index;

std::int64_t columns_across(std::int64_t rows, std::int64_t columns, std::int64_t width) {
  // Of more columns, a vector of them is as fast, and behind many whole vectors it hardly counts.
  const std::int64_t most_columns = width / 4, fewest_rows = width / 2, most_vectors = 16;
  const std::int64_t left = columns % width;
  if (rows < fewest_rows || columns < width || columns > most_vectors * width) return 0;
  return left <= most_columns ? left : 0;
}

void contract_across(Emitter& emitter, const kernel::Contract& tile, std::int64_t rows, DType accumulate,
                     std::int64_t registers, const ElementEnd& end) {
  const std::int64_t sums = registers * 3 / 4;
  const int width = emitter.width_of(accumulate);
  kernel::Builder& build = emitter.build();
  const auto write = [&](const Index& first, std::int64_t size) {
    kernel::Contract part;
    part.rows = tile.rows;
    part.columns = size;
    part.depth = tile.depth;
    part.a = tile.a;
    part.b = tile.b;
    part.b.base += first;
    build.contract(std::move(part), accumulate, [&](const Index& column, const Index& row, kernel::Value* sum) {
      emitter.in_vector([&] { end(first + row, column, sum); });
    });
  };
  for (const Segment& segment : balanced_columns(rows, width, std::max<std::int64_t>(1, sums / tile.rows)))
    if (segment.count == 1)
      emitter.scoped([&] { write(Index(segment.begin), segment.size); });
    else
      build.serial_loop("across", segment.count, [&](const Index& i) {
        emitter.scoped([&] { write(segment.begin + i * segment.size, segment.size); });
      });
}

}  // namespace pullback::lower
