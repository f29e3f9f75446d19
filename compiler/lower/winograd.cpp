#include "compiler/lower/winograd.h"

#include <algorithm>
#include <optional>

#include "compiler/lower/image_tasks.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/winograd_tiles.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;
using ops::winograd::kResults;
using ops::winograd::kTile;
using ops::winograd::tiles_along;

/// Parts of the channels of a gradient that may run side by side, and how many one has at least: each transforms all of
/// the cotangent.
constexpr std::int64_t kMostChannelTasks = 4, kFewestTaskChannels = 16;

/// Floating operations of so many tiles' products.
double work_of(std::int64_t tiles, std::int64_t inputs, std::int64_t outputs) {
  return 2.0 * static_cast<double>(kTileProducts * inputs * outputs) * static_cast<double>(tiles);
}

/// The products of a block are those of kTileProducts pairs of matrices: tiles x input channels, and input channels x
/// output channels.
class WinogradWriter {
 public:
  /// With `images`, tasks are theirs.
  WinogradWriter(const Group& group, Emitter& emitter, const ContractionShape& shape, const LoopOptions& options,
                 ImageTasks* images)
      : group_(part_of(group, false)),
        options_(options),
        shape_(shape),
        emitter_(emitter),
        images_(images),
        tiles_(emitter, shape.spec.accumulate, options),
        y_dims_(shape.spec.c.sizes) {
    const std::vector<std::int64_t>& x_dims = shape.spec.b.sizes;
    x_ = {emitter_.buffer_of(shape.b.base, kernel::Access::in), shape.b, 0, 1, x_dims[2], x_dims[3]};
    u_ = emitter_.buffer_of(shape.a.base, kernel::Access::in);
    inputs_ = x_dims[1];
    outputs_ = y_dims_[1];
    groups_ = group.op->attributes.integer("groups");
    grid_ = {images_ ? images_->together() : y_dims_[0], tiles_along(y_dims_[2]), tiles_along(y_dims_[3])};
    count_ = grid_[0] * grid_[1] * grid_[2];
    tile_ = choose_tile(count_, outputs_ / groups_, tiles_.registers());
    block_ = tiles_.block_of(count_, inputs_ + outputs_, tile_.rows);
    v_ = tiles_.matrices("transformed", block_, inputs_);
    m_ = tiles_.matrices("products", block_, outputs_);
  }

  double work() const { return work_of(count_, inputs_ / groups_, outputs_); }

  void run() {
    const std::int64_t blocks = (count_ + block_ - 1) / block_, last = count_ - (blocks - 1) * block_;
    if (blocks == 1 || !options_.parallel || work() < kParallelFlops) return run_task(Index(0));
    build().parallel_loop("p", blocks, [&](const Index& p) {
      const auto block = [&](std::int64_t size) { emitter_.scoped([&] { run_block(p * block_, size); }); };
      if (last == block_) return block(block_);
      kernel::Value* whole = build().lt(build().index_value(p), build().integer(DType::i64, blocks - 1));
      build().if_then_else(whole, [&] { block(block_); }, [&] { block(last); });
    });
  }

  /// All tiles, or those of a task's images.
  void run_task(const Index& task) {
    task_ = task;
    for (const Segment& segment : pieces(count_, block_))
      tiles_.repeat("b", segment, [&](const Index& first) { run_block(first, segment.size); });
  }

 private:
  kernel::Builder& build() { return emitter_.build(); }

  void run_block(const Index& first, std::int64_t count) {
    tiles_.repeat("t", {0, count, 1}, [&](const Index& t) { transform_input(first + t, t); });
    multiply(count);
    tiles_.repeat("t", {0, count, 1}, [&](const Index& t) { transform_result(first + t, t); });
  }

  /// The image, and the row and the column of its first result.
  std::vector<Index> place_of(const Index& tile) const {
    std::vector<Index> at = kernel::unflatten(tile, grid_);
    if (images_) at[0] += task_ * images_->together();
    return {at[0], at[1] * kResults, at[2] * kResults};
  }

  void transform_input(const Index& tile, const Index& t) {
    const std::vector<Index> at = place_of(tile);
    const auto& coordinates = shape_.spec.b.coordinates;
    const ops::winograd::OnValues arithmetic{build()};
    tiles_.transform(
        x_, {at[0], at[1] + coordinates[2].offset, at[2] + coordinates[3].offset}, Index(0),
        [&](const auto& v) { return ops::winograd::transform_input(v, arithmetic); }, v_, t);
  }

  void multiply(std::int64_t count) {
    tiles_.each_part(groups_, count, outputs_ / groups_, tile_, [&](const WinogradTiles::Part& part) {
      const View& u = shape_.a;
      const Index input = part.group * (inputs_ / groups_), output = part.group * (outputs_ / groups_) + part.column;
      kernel::Contract statement;
      statement.rows = part.rows;
      statement.columns = part.columns;
      statement.depth = inputs_ / groups_;
      statement.a = {v_.scratch, v_.at(part.product, part.row) + input, v_.channels, 1};
      statement.b = {u_, Index(u.offset) + part.product * u.strides[1] + output, u.strides[2]};
      build().contract(std::move(statement), shape_.spec.accumulate,
                       [&](const Index& row, const Index& column, kernel::Value* sum) {
                         build().store(m_.scratch, m_.at(part.product, part.row + row) + output + column, sum);
                       });
    });
  }

  /// Elements of the result, and what is computed of them.
  void transform_result(const Index& tile, const Index& t) {
    const std::vector<Index> at = place_of(tile);
    const ops::winograd::OnValues arithmetic{build()};
    std::vector<kernel::Value*> row_inside, column_inside;
    for (int i = 0; i < kResults; ++i) {
      row_inside.push_back(tiles_.is_inside(at[1] + i, y_dims_[2]));
      column_inside.push_back(tiles_.is_inside(at[2] + i, y_dims_[3]));
    }
    build().vector_loop("o", outputs_, static_cast<int>(tiles_.registers().width), 1, [&](const Index& o) {
      std::vector<kernel::Value*> products;
      for (std::int64_t p = 0; p < kTileProducts; ++p)
        products.push_back(build().load(m_.scratch, m_.at(Index(p), t) + o));
      const std::vector<kernel::Value*> results = ops::winograd::along_both(
          products, kTile, [&](const auto& v) { return ops::winograd::transform_result(v, arithmetic); });
      emitter_.in_vector([&] {
        for (std::size_t i = 0; i < results.size(); ++i) {
          const std::size_t row = i / kResults, column = i % kResults;
          const Indices indices{at[0], o, at[1] + static_cast<std::int64_t>(row),
                                at[2] + static_cast<std::int64_t>(column)};
          kernel::Value* inside = tiles_.both(row_inside[row], column_inside[column]);
          if (!inside)
            finish(indices, results[i]);
          else
            build().if_then(inside, [&] { emitter_.scoped([&] { finish(indices, results[i]); }); });
        }
      });
    });
  }

  void finish(const Indices& indices, kernel::Value* sum) {
    const ir::Value* result = group_.op->result();
    emitter_.provide(result, indices, build().convert(sum, result->type.dtype));
    if (images_) images_->keep(indices);
    store_at(emitter_, group_.stored, {indices}, dims_of(*result));
  }

  const Group group_;  ///< what is computed at the result's positions
  const LoopOptions& options_;
  const ContractionShape& shape_;
  Emitter& emitter_;
  ImageTasks* images_;
  WinogradTiles tiles_;
  std::vector<std::int64_t> y_dims_;
  TiledImages x_;
  int u_ = -1;
  std::int64_t inputs_ = 0, outputs_ = 0;  ///< channels of all groups
  std::int64_t groups_ = 1;
  std::vector<std::int64_t> grid_;      ///< images, rows and columns of tiles
  std::int64_t count_ = 0, block_ = 1;  ///< tiles in all, and of a block
  Tile tile_;                           ///< of the products
  TileMatrices v_, m_;
  Index task_;
};

/// The products of a block are those of kTileProducts pairs of matrices whose depth are the tiles: those of x and those
/// of its cotangent. Sums continue in the result from block to block.
class WinogradProductsWriter {
 public:
  WinogradProductsWriter(const Group& group, Emitter& emitter, const ContractionShape& shape,
                         const LoopOptions& options)
      : group_(group), shape_(shape), emitter_(emitter), tiles_(emitter, shape.spec.accumulate, options) {
    const std::vector<std::int64_t>&x_dims = shape.spec.b.sizes, &g_dims = shape.spec.a.sizes;
    x_ = {emitter_.buffer_of(shape.b.base, kernel::Access::in), shape.b, 1, 0, x_dims[2], x_dims[3]};
    g_ = {emitter_.buffer_of(shape.a.base, kernel::Access::in), shape.a, 1, 0, g_dims[2], g_dims[3]};
    inputs_ = x_dims[0];
    outputs_ = g_dims[0];
    slabs_ = shape.spec.c.sizes[0];
    groups_ = group.op->attributes.integer("batch_groups");
    grid_ = {x_dims[1] / slabs_, tiles_along(g_dims[2]), tiles_along(g_dims[3])};
    count_ = grid_[0] * grid_[1] * grid_[2];
    is_parallel_ = options.parallel && work_of(slabs_ * count_, inputs_ / groups_, outputs_) >= kParallelFlops;
    if (is_parallel_ && groups_ == 1)
      while (2 * parts_ * slabs_ <= 2 * kMostChannelTasks && inputs_ % (2 * parts_ * kFewestTaskChannels) == 0)
        parts_ *= 2;
    channels_ = inputs_ / parts_;
    tile_ = choose_tile(channels_ / groups_, outputs_ / groups_, tiles_.registers());
    block_ = tiles_.block_of(count_, channels_ + outputs_, kFewestSteps);
    v_ = tiles_.matrices("transformed", block_, channels_);
    w_ = tiles_.matrices("cotangents", block_, outputs_);
  }

  void run() {
    const std::int64_t tasks = slabs_ * parts_;
    const auto task = [&](const Index& i) {
      emitter_.scoped([&] { run_task(kernel::floordiv(i, parts_), kernel::mod(i, parts_) * channels_); });
    };
    if (tasks == 1)
      task(Index(0));
    else if (is_parallel_)
      build().parallel_loop("p", tasks, task);
    else
      build().serial_loop("p", tasks, task);
  }

 private:
  /// Tiles whose products pay for what it costs to load sums and to store them.
  static constexpr std::int64_t kFewestSteps = 32;

  kernel::Builder& build() { return emitter_.build(); }

  /// The first block is code of its own: sums start at zero.
  void run_task(const Index& slab, const Index& first_channel) {
    slab_ = slab;
    first_channel_ = first_channel;
    bool first = true;
    for (const Segment& segment : pieces(count_, block_)) {
      Segment rest = segment;
      if (first) {
        emitter_.scoped([&] { run_block(Index(segment.begin), segment.size, true); });
        rest.begin += rest.size;
        --rest.count;
        first = false;
      }
      if (rest.count > 0) tiles_.repeat("b", rest, [&](const Index& begin) { run_block(begin, rest.size, false); });
    }
  }

  void run_block(const Index& begin, std::int64_t count, bool first) {
    const ops::winograd::OnValues arithmetic{build()};
    const auto& coordinates = shape_.spec.b.coordinates;
    tiles_.repeat("t", {0, count, 1}, [&](const Index& t) {
      const std::vector<Index> at = kernel::unflatten(begin + t, grid_);
      const Index image = slab_ * grid_[0] + at[0], row = at[1] * kResults, column = at[2] * kResults;
      tiles_.transform(
          x_, {image, row + coordinates[2].offset, column + coordinates[3].offset}, first_channel_,
          [&](const auto& v) { return ops::winograd::transform_input(v, arithmetic); }, v_, t);
      tiles_.transform(
          g_, {image, row, column, kResults}, Index(0),
          [&](const auto& v) { return ops::winograd::transform_cotangent(v, arithmetic); }, w_, t);
    });
    tiles_.each_part(groups_, channels_ / groups_, outputs_ / groups_, tile_,
                     [&](const WinogradTiles::Part& part) { multiply(part, count, first); });
  }

  void multiply(const WinogradTiles::Part& part, std::int64_t depth, bool first) {
    const Index input = part.group * (channels_ / groups_) + part.row,
                output = part.group * (outputs_ / groups_) + part.column;
    kernel::Contract statement;
    statement.rows = part.rows;
    statement.columns = part.columns;
    statement.depth = depth;
    statement.a = {v_.scratch, v_.at(part.product, Index(0)) + input, 1, v_.channels};
    statement.b = {w_.scratch, w_.at(part.product, Index(0)) + output, w_.channels};
    const ir::Value* result = group_.op->result();
    const auto indices = [&](const Index& row, const Index& column) {
      return Indices{slab_, kernel::floordiv(part.product, kTile), kernel::mod(part.product, kTile),
                     first_channel_ + part.row + row, output + column};
    };
    if (!first)
      statement.start = {emitter_.buffer_of(result, kernel::Access::inout),
                         emitter_.address(*result, indices(Index(0), Index(0))), outputs_};
    build().contract(std::move(statement), shape_.spec.accumulate,
                     [&](const Index& row, const Index& column, kernel::Value* sum) {
                       emitter_.store(result, indices(row, column), sum);
                     });
  }

  const Group& group_;
  const ContractionShape& shape_;
  Emitter& emitter_;
  WinogradTiles tiles_;
  TiledImages x_, g_;
  std::int64_t inputs_ = 0, outputs_ = 0;  ///< channels of x and of g
  std::int64_t slabs_ = 1, groups_ = 1;
  std::int64_t parts_ = 1, channels_ = 0;  ///< parts of the channels of x, if they are one group, and channels of one
  std::vector<std::int64_t> grid_;         ///< images of a slab, rows and columns of tiles
  std::int64_t count_ = 0, block_ = 1;     ///< tiles of a slab, and of a block
  bool is_parallel_ = false;
  Tile tile_;  ///< of the products
  TileMatrices v_, w_;
  Index slab_, first_channel_;  ///< of the task
};

}  // namespace

bool is_winograd(const ir::Op& op) {
  return op.def == &ops::op_winograd_convolution || op.def == &ops::op_winograd_products;
}

void write_winograd(const Group& group, Emitter& emitter, Placement& placement, const ContractionShape& shape,
                    const LoopOptions& options) {
  if (group.op->def == &ops::op_winograd_products) return WinogradProductsWriter(group, emitter, shape, options).run();
  if (group.behind.empty()) return WinogradWriter(group, emitter, shape, options, nullptr).run();
  ImageTasks images(group, emitter, placement, options, shape);
  images.cut_into_bands(0, 0);
  WinogradWriter writer(group, emitter, shape, options, &images);
  const auto run = [&](const Index& task) {
    emitter.scoped([&] {
      images.begin(task);
      writer.run_task(task);
      images.run_behind();
    });
  };
  if (images.tasks() == 1)
    run(Index(0));
  else if (options.parallel && writer.work() * static_cast<double>(images.tasks()) >= kParallelFlops)
    emitter.build().parallel_loop("p", images.tasks(), run);
  else
    emitter.build().serial_loop("p", images.tasks(), run);
}

}  // namespace pullback::lower
