#include "compiler/lower/contraction_dots.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>
#include <vector>

#include "compiler/lower/contraction_orientation.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {
namespace {

using kernel::Index;

/// Batch elements that are parts enough, and parts of one.
constexpr std::int64_t kOuterTasks = 8, kMostTasks = 16;
/// Of more rows and columns, tiles are faster.
constexpr std::int64_t kSomeRows = 12;
/// Sums that need not wait for each other.
constexpr std::int64_t kSumsInFlight = 8;

Registers registers_for(const ContractionShape& shape, const LoopOptions& options) {
  return {options.vector_registers, options.vector_bytes / static_cast<std::int64_t>(size_of(shape.spec.accumulate))};
}

std::int64_t least_of_rows_and_columns(const ContractionShape& shape) {
  return std::min(ContractionShape::product(shape.m), ContractionShape::product(shape.n));
}

/// Rows and columns of a tile of dot products: as square as registers allow, for each row and each column is loaded
/// once in each step.
struct DotTile {
  std::int64_t rows = 1, columns = 1;
};
DotTile dot_tile(std::int64_t rows, std::int64_t columns, const Registers& registers) {
  const std::int64_t side = registers.vectors == 32 ? 5 : 3;
  const DotTile square{balanced(rows, side).front().size, 1};
  const std::int64_t most = (registers.vectors - 2) / (square.rows + 1);
  return {square.rows, balanced(columns, std::min(most, side + 3)).front().size};
}

/// Vectors of one sum, so that those of a small tile need not wait for each other.
int vectors_of_sum(const DotTile& tile, std::int64_t steps) {
  const std::int64_t wanted = (kSumsInFlight + tile.rows * tile.columns - 1) / (tile.rows * tile.columns);
  return static_cast<int>(
      std::bit_floor(static_cast<std::uint64_t>(std::min(wanted, std::max<std::int64_t>(steps, 1)))));
}

class DotWriter {
 public:
  DotWriter(const Group& group, Emitter& emitter, ContractionShape shape, const LoopOptions& options)
      : group_(group), options_(options), emitter_(emitter), shape_(std::move(shape)) {
    if (ContractionShape::product(shape_.m) > ContractionShape::product(shape_.n)) swap_operands(shape_);
    accumulate_ = shape_.spec.accumulate;
    registers_ = registers_for(shape_, options);
    a_ = emitter_.buffer_of(shape_.a.base, kernel::Access::in);
    b_ = emitter_.buffer_of(shape_.b.base, kernel::Access::in);
    const TileLoops loops = take_tile_loops(shape_);
    row_ = loops.row;
    column_ = loops.column;
    depth_ = loops.depth;
    tile_ = dot_tile(row_.size, column_.size, registers_);
  }

  void run() {
    const std::int64_t outer = ContractionShape::product(shape_.batch);
    const double work = 2.0 * static_cast<double>(outer * row_.size * column_.size * depth_.size);
    if (!options_.parallel || work < kParallelFlops)
      repeat("o", {0, outer, 1}, [&](const Index& o) { run_columns(o, Index(0), column_.size); });
    else if (outer >= kOuterTasks)
      build().parallel_loop("p", outer, [&](const Index& p) { run_columns(p, Index(0), column_.size); });
    else
      run_parts(outer);
  }

 private:
  kernel::Builder& build() { return emitter_.build(); }

  void repeat(const char* name, const Segment& segment, const std::function<void(const Index&)>& body) {
    if (segment.count == 1) return emitter_.scoped([&] { body(Index(segment.begin)); });
    build().serial_loop(name, segment.count,
                        [&](const Index& i) { emitter_.scoped([&] { body(segment.begin + i * segment.size); }); });
  }

  void run_parts(std::int64_t outer) {
    const Split parts = split(column_.size, tile_.columns, 1, kMostTasks / outer);
    if (outer * parts.count == 1) return run_columns(Index(0), Index(0), column_.size);
    build().parallel_loop("p", outer * parts.count, [&](const Index& p) {
      const Index o = kernel::floordiv(p, parts.count), part = kernel::mod(p, parts.count);
      const auto run = [&](std::int64_t columns) { run_columns(o, part * parts.size, columns); };
      if (parts.last == parts.size) return run(parts.size);
      kernel::Value* whole = build().lt(build().index_value(part), build().integer(DType::i64, parts.count - 1));
      build().if_then_else(whole, [&] { run(parts.size); }, [&] { run(parts.last); });
    });
  }

  /// All rows under each tile of columns, which are read once.
  void run_columns(const Index& position, const Index& first, std::int64_t count) {
    emitter_.scoped([&] {
      const std::vector<Index> batch = positions_in(shape_.batch, position);
      for (const Segment& columns : balanced(count, tile_.columns))
        repeat("j", columns, [&](const Index& column) {
          for (const Segment& rows : balanced(row_.size, tile_.rows))
            repeat("i", rows,
                   [&](const Index& row) { run_tile(batch, row, first + column, {rows.size, columns.size}); });
        });
    });
  }

  void run_tile(const std::vector<Index>& batch, const Index& row, const Index& column, const DotTile& tile) {
    const Index a = walked(shape_.batch, batch, &Loop::a) + row * row_.a + shape_.a_offset,
                b = walked(shape_.batch, batch, &Loop::b) + column * column_.b + shape_.b_offset;
    const auto count = static_cast<std::size_t>(tile.rows * tile.columns);
    const std::vector<kernel::Builder::Carry> carries(count, {build().constant(accumulate_, 0), kernel::Combine::add});
    const kernel::Builder::Shape along{kernel::LoopKind::vector, static_cast<int>(registers_.width),
                                       vectors_of_sum(tile_, depth_.size / registers_.width)};
    const auto step = [&](const Index& k, const std::vector<kernel::Value*>& sums) {
      std::vector<kernel::Value*> columns, next;
      for (std::int64_t c = 0; c < tile.columns; ++c) columns.push_back(build().load(b_, b + c * column_.b + k));
      for (std::int64_t r = 0; r < tile.rows; ++r) {
        kernel::Value* element = build().load(a_, a + r * row_.a + k);
        for (kernel::Value* other : columns) next.push_back(build().fma(element, other, sums[next.size()]));
      }
      return next;
    };
    const std::vector<kernel::Value*> sums = build().loop("k", depth_.size, along, carries, step);
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::int64_t>(i);
      finish(batch, row + at / tile.columns, column + at % tile.columns, sums[i]);
    }
  }

  void finish(const std::vector<Index>& batch, const Index& row, const Index& column, kernel::Value* sum) {
    const ir::Value* c = group_.op->result();
    std::vector<LoopPosition> positions{{&row_, row}, {&column_, column}};
    for (std::size_t i = 0; i < batch.size(); ++i) positions.push_back({&shape_.batch[i], batch[i]});
    const ops::Indices indices = indices_in_c(shape_.spec, positions);
    emitter_.scoped([&] {
      emitter_.provide(c, indices, build().convert(sum, c->type.dtype));
      store_at(emitter_, group_.stored, {indices}, dims_of(*c));
    });
  }

  const Group& group_;
  const LoopOptions& options_;
  Emitter& emitter_;
  ContractionShape shape_;
  DType accumulate_ = DType::f32;
  Registers registers_;
  int a_ = -1, b_ = -1;
  Loop row_, column_, depth_;
  DotTile tile_;
};

}  // namespace

bool lies_along_sums(const ContractionShape& shape) {
  for (const ir::Value* operand : {shape.a.base, shape.b.base})
    if (operand->type.dtype != shape.spec.accumulate) return false;
  if (shape.k.size() != 1 || shape.m.size() > 1 || shape.n.size() > 1) return false;
  const Loop& depth = shape.k.front();
  return depth.a == 1 && depth.b == 1 && least_of_rows_and_columns(shape) <= kSomeRows;
}

bool sums_along_memory(const ContractionShape& shape, const Placement& placement, const LoopOptions& options) {
  if (!lies_along_sums(shape)) return false;
  for (const ir::Value* operand : {shape.a.base, shape.b.base})
    if (!placement.is_stored(*operand)) return false;
  // A copy of B is used by few rows, and a tile under it has few sums; against it stand the lanes to add up at the end.
  constexpr std::int64_t kFewRows = 8, kFewVectors = 4, kSomeVectors = 8;
  const std::int64_t rows = least_of_rows_and_columns(shape),
                     vectors = shape.k.front().size / registers_for(shape, options).width;
  return (rows <= kFewRows && vectors >= kFewVectors) || (rows <= kSomeRows && vectors >= kSomeVectors);
}

void write_dots(const Group& group, Unit& unit, Placement& placement, ContractionShape shape,
                const LoopOptions& options) {
  Emitter emitter(unit, placement, options.vector_bytes, group.anchors);
  emitter.note(*group.op);
  DotWriter(group, emitter, std::move(shape), options).run();
}

}  // namespace pullback::lower
