#include "compiler/lower/direct_convolution.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <optional>
#include <utility>

#include "compiler/ir/layout.h"
#include "compiler/lower/contraction_fetch.h"
#include "compiler/lower/contraction_orientation.h"
#include "compiler/lower/contraction_phases.h"
#include "compiler/lower/depthwise_gradient.h"
#include "compiler/lower/direct_tile.h"
#include "compiler/lower/image_tasks.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/tiling.h"
#include "compiler/lower/winograd.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;

/// What both operands of a block of a deep sum may take of the first level of the cache, and the fewest steps that pay
/// for what it costs to keep sums.
constexpr std::int64_t kNearBlockBytes = 28 * 1024, kFewestSteps = 64;
/// What they may take of the second level where no block is so small.
constexpr std::int64_t kBlockBytes = 192 * 1024;
/// What a block of a tile's columns of the kernels may take of the first level of the cache, beside the elements of x,
/// and what all of them may before blocks gain more than it costs to keep sums: a little comes from the second level
/// while tiles compute.
constexpr std::int64_t kPanelBytes = 24 * 1024, kLargePanelBytes = 100 * 1024;
/// Tiles that read a block of the kernels before the next one, and channels of a block: with fewer, sums wait in memory
/// for nothing.
constexpr std::int64_t kFewestTiles = 4, kFewestChannels = 8;
/// What one part reads of the images: the second level of the cache keeps it for all tiles of columns.
constexpr std::int64_t kTaskBytes = 128 * 1024;
/// Tiles of columns that a few threads share evenly.
constexpr std::int64_t kFewestColumnTasks = 8;
/// Parts of the gradient of the kernels that may run side by side: each reads all images, or those of a slab.
constexpr std::int64_t kMostParts = 12;
/// Rows are elements of B, columns neighbouring elements of A: in the tile's statement the two change places.
class DirectWriter {
 public:
  /// With `images`, tasks are theirs: see run_task().
  DirectWriter(const Group& group, Emitter& emitter, ContractionShape shape, const LoopOptions& options,
               ImageTasks* images)
      : group_(part_of(group, false)), options_(options), shape_(std::move(shape)), emitter_(emitter), images_(images) {
    accumulate_ = shape_.spec.accumulate;
    bytes_ = static_cast<std::int64_t>(size_of(accumulate_));
    registers_ = {options.vector_registers, options.vector_bytes / bytes_};
    x_ = emitter_.buffer_of(shape_.b.base, kernel::Access::in);
    w_ = emitter_.buffer_of(shape_.a.base, kernel::Access::in);
    is_empty_ = ContractionShape::product(shape_.k) == 0;
    if (is_empty_) shape_.k.clear();
    if (is_empty_) shape_.bounds.clear();
    is_depthwise_ = is_depthwise(shape_);
    std::vector<Loop>& columns = is_depthwise_ ? shape_.batch : shape_.m;
    column_ = columns.front();
    columns.clear();
    if (images_) shape_.n.erase(shape_.n.begin() + (image_loop(shape_) - shape_.n.data()));
    const DirectTile chosen = choose_direct_tile(shape_, column_, registers_, is_depthwise_, is_turned());
    row_ = chosen.row;
    run_ = chosen.run;
    stride_run_ = chosen.stride_run;
    tile_ = chosen.tile;
    outer_ = shape_.batch;
    outer_.insert(outer_.end(), shape_.n.begin(), shape_.n.end());
    if (images_) outer_.insert(outer_.begin(), images_->loop());
    work_ = 2.0 * static_cast<double>(ContractionShape::product(outer_) * row_.size * column_.size) *
            static_cast<double>(ContractionShape::product(shape_.k));
    order_depth();
    if (!images_) choose_block();
    if (blocks_.empty()) choose_channels();
  }

  void run() {
    if (!blocks_.empty() && !by_channels_)
      run_blocks();
    else
      run_whole(is_parallel());
  }

  void run_serial() { run_whole(false); }

  /// In each task a tile's columns of the kernels serve all pixels, block by block.
  /// A part, if there are several, is of the positions.
  void run_task(const Index& task, const Index& part = {}, std::int64_t parts = 1) {
    Tasks tasks = this->tasks();
    const Index begin = task * tasks.positions + part * (tasks.positions / parts);
    tasks.positions /= parts;
    if (goes_by_positions()) {
      repeat("o", {0, tasks.positions, 1}, [&](const Index& o) {
        outer_at_ = positions_in(outer_, begin + o);
        for (const Segment& segment : columns())
          repeat("jt", segment, [&](const Index& column) { row_tiles(column, segment.size, Index(0), true, true); });
      });
      return;
    }
    const auto under = [&](const Index& first_position, const Index& column, std::int64_t size) {
      each_block([&](const Index& block, bool first, bool last) {
        repeat("o", {0, tasks.positions, 1}, [&](const Index& o) {
          outer_at_ = positions_in(outer_, first_position + o);
          sums_at_ = o;
          sums_column_ = column;
          row_tiles(column, size, block, first, last);
        });
      });
    };
    for (const Segment& segment : columns()) {
      if (tasks.by_columns)
        under(Index(0), task * segment.size, segment.size);
      else
        repeat("jt", segment, [&](const Index& column) { under(begin, column, segment.size); });
    }
  }

  /// Channels of a depthwise convolution share no pixels: all those of a few rows come before the next rows, as they
  /// lie in memory, if the kernels stay near.
  bool goes_by_positions() const {
    return is_depthwise_ && blocks_.empty() && !tasks().by_columns && registers_.vectors == 32 &&
           ContractionShape::product(shape_.k) * column_.size * bytes_ <= kPanelBytes;
  }

  /// Floating operations of all blocks.
  double work() const { return work_; }

  /// The only loop around a phase's tiles but that over images, if all of an image is done in one go.
  const Loop* rows_of_image() const { return images_ && blocks_.empty() && outer_.size() == 2 ? &outer_[1] : nullptr; }

 private:
  kernel::Builder& build() { return emitter_.build(); }

  /// Are columns of tiles stored along their rows? They are turned in registers then, a vector of rows at a time. Of
  /// phases, whole rows of an image are.
  bool is_turned() const {
    if (images_ && !is_depthwise_) return false;
    const ir::Value& result = *group_.op->result();
    return std::any_of(group_.stored.begin(), group_.stored.end(), [&](const ir::Value* stored) {
      return stored->type.rank() == result.type.rank() && ir::layout_of(*stored) != ir::layout_of(result);
    });
  }

  bool bounds_row(const Loop& loop) const {
    return std::any_of(shape_.bounds.begin(), shape_.bounds.end(),
                       [&](const CoordinateBound& bound) { return bound.step(row_) != 0 && bound.step(loop) != 0; });
  }
  /// Loops over k as x lies in memory. But the code is repeated for each tap of a loop that cuts rows, and in it a loop
  /// over channels runs: between the taps of one pixel, elements of x would be kept in registers that there are not. A
  /// depthwise convolution has no sum over channels.
  void order_depth() {
    const auto far = [](const Loop& x, const Loop& y) { return std::abs(x.b) > std::abs(y.b); };
    std::stable_sort(shape_.k.begin(), shape_.k.end(), far);
    if (is_depthwise_) return;
    if (std::none_of(shape_.k.begin(), shape_.k.end(), [&](const Loop& loop) { return bounds_row(loop); })) return;
    const bool slides = taps_slide();
    const auto rank = [&](const Loop& loop) {
      return bounds_row(loop) ? slides ? 3 : 1 : is_bounded(shape_, loop) ? 0 : 2;
    };
    std::stable_sort(shape_.k.begin(), shape_.k.end(), [&](const Loop& x, const Loop& y) { return rank(x) < rank(y); });
  }

  /// Under one vector of columns each product has an element of x to load, which is more than a core loads beside its
  /// products. Where rows meet the same elements under neighbouring taps, each is loaded once for all of them: taps
  /// come innermost then, each with its vector of the kernels in a register.
  bool taps_slide() const {
    const auto cuts = [&](const Loop& loop) { return bounds_row(loop); };
    const auto taps = std::find_if(shape_.k.begin(), shape_.k.end(), cuts);
    if (taps == shape_.k.end() || std::count_if(taps, shape_.k.end(), cuts) > 1 || !slides_along(row_, *taps))
      return false;
    const std::int64_t panel = ContractionShape::product(shape_.k) * registers_.width * bytes_;
    return column_.size <= registers_.width && panel <= kLargePanelBytes &&
           tile_.rows + taps->size < registers_.vectors;
  }

  /// Cuts a loop over k into blocks of `size`, which the tiles visit one after the other.
  void cut(std::size_t level, std::int64_t size) {
    Loop& loop = shape_.k[level];
    Loop blocks = loop;
    blocks.size /= size;
    blocks.a *= size;
    blocks.b *= size;
    blocks_.push_back({std::move(blocks), size});
    loop.size = size;
    // A loop of one iteration is none, unless the iteration may lie out of bounds.
    if (size == 1 && shape_.k.size() > 1 && !is_bounded(shape_, loop))
      shape_.k.erase(shape_.k.begin() + static_cast<std::ptrdiff_t>(level));
  }
  /// The largest divisor of at most `most`.
  static std::int64_t divisor(std::int64_t total, std::int64_t most) {
    std::int64_t size = std::clamp<std::int64_t>(most, 1, total);
    while (total % size != 0) --size;
    return size;
  }

  /// How many iterations of a loop over k make a block that stays in the first level, under a tile's columns; 0: none.
  std::int64_t near_block(std::size_t level) const {
    const Loop& loop = shape_.k[level];
    const std::int64_t width = std::min(column_.size, tile_.vectors * registers_.width);
    const std::int64_t bytes = (std::abs(loop.a) * width / column_.size + std::abs(loop.b)) * bytes_;
    std::int64_t steps = 1;
    for (std::size_t inner = level + 1; inner < shape_.k.size(); ++inner) steps *= shape_.k[inner].size;
    const std::int64_t size = divisor(loop.size, kNearBlockBytes / std::max<std::int64_t>(1, bytes));
    return size * bytes <= kNearBlockBytes && size * steps >= kFewestSteps ? size : 0;
  }

  /// How many rows of an image that fills the second level make a block that stays there, with steps enough; 0: none.
  std::int64_t far_block(std::size_t rows) const {
    const std::int64_t bytes = bytes_of_step(shape_.k[rows]), most = options_.second_level / 4;
    if (bytes * shape_.k[rows].size <= options_.second_level) return 0;
    std::int64_t steps = 1;
    for (std::size_t inner = rows + 1; inner < shape_.k.size(); ++inner) steps *= shape_.k[inner].size;
    const std::int64_t size = divisor(shape_.k[rows].size, most / std::max<std::int64_t>(1, bytes));
    return size * bytes <= most && size * steps >= 2 * kFewestSteps ? size : 0;
  }
  /// Is the loop over a window that is a whole image, rather than over taps?
  bool walks_image(const Loop& loop) const {
    return std::any_of(shape_.bounds.begin(), shape_.bounds.end(), [&](const CoordinateBound& bound) {
      return bound.step(loop) != 0 && std::all_of(bound.terms.begin(), bound.terms.end(), [&](const auto& term) {
               return term.dimension == loop.dimensions[0] || shape_.spec.dimensions[term.dimension].size < loop.size;
             });
    });
  }
  std::int64_t bytes_of_step(const Loop& loop) const { return (std::abs(loop.a) + std::abs(loop.b)) * bytes_; }

  /// A sum over whole images (the gradient of the kernels) goes on in blocks of images, or of rows of one, so that what
  /// a block reads stays in the cache for all tiles. The chains continue through C. One image is no loop.
  void choose_block() {
    if (shape_.k.size() < 2) return;
    const bool has_images = !is_bounded(shape_, shape_.k.front());
    const std::size_t rows = has_images ? 1 : 0;
    const bool may_cut_rows = shape_.k.size() > rows + 1 && !bounds_row(shape_.k[rows]);
    if (!has_images && !(may_cut_rows && walks_image(shape_.k.front()))) return;
    const std::int64_t tiles = ContractionShape::product(outer_) * ((row_.size + tile_.rows - 1) / tile_.rows) *
                               static_cast<std::int64_t>(columns().size());
    const Loop& front = shape_.k.front();
    const std::int64_t bytes = bytes_of_step(front);
    if (tiles < 3 || bytes * front.size <= kNearBlockBytes) return;
    const std::int64_t together = has_images ? near_block(0) : 0;
    const std::int64_t near_rows = may_cut_rows ? near_block(rows) : 0,
                       some_rows = near_rows > 0 || !may_cut_rows ? near_rows : far_block(rows);
    if (together > 0) {
      cut(0, together);
    } else if (some_rows > 0) {
      cut(rows, some_rows);
      if (has_images) cut(0, 1);
      std::reverse(blocks_.begin(), blocks_.end());
    } else if (has_images && bytes * front.size > kBlockBytes) {
      cut(0, divisor(front.size, kBlockBytes / bytes));
    } else {
      return;
    }
    const BlockParts parts = block_parts();
    chain_blocks(ContractionShape::product(outer_) / (parts.by_columns ? 1 : parts.count), column_.size);
  }

  /// All positions of an image meet the same kernels. Where those of a tile's columns are too large to stay in the
  /// first level of the cache, blocks of the channels are: the sums of all positions continue from one block to the
  /// next.
  void choose_channels() {
    if (shape_.k.empty() || is_bounded(shape_, shape_.k.back())) return;
    const Loop& channels = shape_.k.back();
    const std::int64_t width = tile_.vectors * registers_.width;
    const std::int64_t each = ContractionShape::product(shape_.k) / channels.size * width * bytes_;
    const std::int64_t positions = tasks().positions;
    if (positions * ((row_.size + tile_.rows - 1) / tile_.rows) < kFewestTiles) return;
    if (each * channels.size <= kLargePanelBytes) return;
    const std::int64_t size = divisor(channels.size, kPanelBytes / each);
    if (size < kFewestChannels) return;
    cut(shape_.k.size() - 1, size);
    by_channels_ = true;
    chain_blocks(positions, width);
  }

  /// The sums of `positions` of the outer loops and `columns` wait in C or in scratch memory between two blocks: there,
  /// where in C those of a group, of channels or of images, are apart.
  void chain_blocks(std::int64_t positions, std::int64_t columns) {
    chained_in_result_ = is_stored_as_sums() && shape_.batch.empty();
    if (chained_in_result_) return;
    sums_ = build().buffer("sums", accumulate_, positions * row_.size * columns, kernel::Access::scratch);
    sums_pitch_ = columns;
  }

  bool is_stored_as_sums() const {
    const ir::Value* c = group_.op->result();
    return c->type.dtype == accumulate_ &&
           std::find(group_.stored.begin(), group_.stored.end(), c) != group_.stored.end();
  }

  std::vector<Segment> columns() const { return balanced_columns(column_.size, registers_.width, tile_.vectors); }

  bool is_parallel() const { return options_.parallel && work_ >= kParallelFlops; }

  /// What runs in parallel: tiles of columns, each for all positions, or else equal parts of the outer loops.
  struct Tasks {
    bool by_columns = false;
    std::int64_t count = 1, positions = 1;  ///< positions of the outer loops in each
  };
  /// Parts of the outer loops read all kernels each, tiles of columns all images: what is smaller is read more often.
  Tasks tasks() const {
    const std::int64_t positions = ContractionShape::product(outer_);
    if (images_) return {false, images_->tasks(), positions / images_->tasks()};
    const auto elements = [](const View& view) { return ir::element_count(view.base->type.shape).constant(); };
    const std::int64_t bytes = elements(shape_.b) * static_cast<std::int64_t>(size_of(shape_.b.base->type.dtype));
    std::int64_t parts = std::min(positions, std::max(kFewestTasks, bytes / kTaskBytes));
    while (positions % parts != 0) ++parts;
    const std::vector<Segment> segments = columns();
    if (segments.size() == 1 && segments[0].count >= kFewestColumnTasks &&
        parts * elements(shape_.a) > segments[0].count * elements(shape_.b))
      return {true, segments[0].count, positions};
    return {false, parts, positions / parts};
  }

  void run_whole(bool parallel) {
    const std::int64_t count = tasks().count;
    if (count > 1 && parallel)
      build().parallel_loop("p", count, [&](const Index& p) { emitter_.scoped([&] { run_task(p); }); });
    else
      repeat("p", {0, count, 1}, [&](const Index& p) { run_task(p); });
  }

  /// The first and the last block are code of their own: sums start at zero, and end in the epilogue.
  void each_block(const std::function<void(const Index& number, bool first, bool last)>& body) {
    std::int64_t count = 1;
    for (const Blocks& blocks : blocks_) count *= blocks.loop.size;
    body(Index(0), true, count == 1);
    if (count > 2)
      build().serial_loop("kb", count - 2,
                          [&](const Index& b) { emitter_.scoped([&] { body(b + Index(1), false, false); }); });
    if (count > 1) emitter_.scoped([&] { body(Index(count - 1), false, true); });
  }
  std::vector<Index> block_at(const Index& number) const {
    std::vector<std::int64_t> sizes;
    for (const Blocks& blocks : blocks_) sizes.push_back(blocks.loop.size);
    return kernel::unflatten(number, sizes);
  }

  struct BlockParts {
    std::int64_t count = 1;
    bool by_columns = false;
  };
  /// Parts in parallel, or one by one where all sums would take much of the cache, or read different blocks: tiles of
  /// columns where there are two to four, else equal parts of the outer loops.
  BlockParts block_parts() const {
    const std::vector<Segment> segments = columns();
    const bool in_slabs = !shape_.batch.empty();
    const std::int64_t sums = ContractionShape::product(outer_) * row_.size * column_.size;
    if (!is_parallel() && !in_slabs && sums * bytes_ <= options_.second_level / 4) return {};
    if (!in_slabs && segments.size() == 1 && segments[0].count > 1 && segments[0].count <= 4)
      return {segments[0].count, true};
    BlockParts parts;
    for (const Loop& loop : in_slabs && !is_parallel() ? shape_.batch : outer_) {
      const std::int64_t pieces = divisor(loop.size, kMostParts / parts.count);
      parts.count *= pieces;
      if (pieces < loop.size) break;
    }
    return parts;
  }

  /// In each part, one block after the other.
  void run_blocks() {
    const std::vector<Segment> segments = columns();
    const auto [parts, by_columns] = block_parts();
    const std::int64_t outer = ContractionShape::product(outer_) / (by_columns ? 1 : parts);
    const auto run = [&](const Index& part) {
      const auto block = [&](const Index& b, bool first, bool last) {
        repeat("o", {0, outer, 1}, [&](const Index& o) {
          outer_at_ = positions_in(outer_, by_columns ? o : part * outer + o);
          sums_at_ = o;
          positions_ = outer;
          for (const Segment& segment : segments) {
            if (by_columns) {
              row_tiles(part * segment.size, segment.size, b, first, last);
              continue;
            }
            repeat("jt", segment, [&](const Index& column) { row_tiles(column, segment.size, b, first, last); });
          }
        });
      };
      each_block(block);
    };
    if (parts > 1 && is_parallel())
      build().parallel_loop("p", parts, [&](const Index& p) { emitter_.scoped([&] { run(p); }); });
    else
      repeat("p", {0, parts, 1}, run);
  }

  void repeat(const char* name, const Segment& segment, const std::function<void(const Index&)>& body) {
    if (segment.count == 1) return emitter_.scoped([&] { body(Index(segment.begin)); });
    build().serial_loop(name, segment.count,
                        [&](const Index& i) { emitter_.scoped([&] { body(segment.begin + i * segment.size); }); });
  }

  /// All rows under some columns. Tiles that reach out of bounds are written one by one, others share a loop.
  void row_tiles(const Index& column, std::int64_t columns, const Index& block, bool first, bool last) {
    for (const Segment& segment : balanced(row_.size, tile_.rows)) {
      std::int64_t at = 0;
      while (at < segment.count) {
        std::int64_t together = 1;
        const auto begin = [&](std::int64_t i) { return segment.begin + i * segment.size; };
        const bool cut = reaches_out(begin(at), segment.size);
        while (!cut && at + together < segment.count && !reaches_out(begin(at + together), segment.size)) ++together;
        repeat("it", {begin(at), together, segment.size},
               [&](const Index& row) { contract({row, column, segment.size, columns, cut}, block, first, last); });
        at += together;
      }
    }
  }

  /// Do any of these rows meet a tap outside of the image?
  bool reaches_out(std::int64_t row, std::int64_t rows) const {
    return std::any_of(shape_.bounds.begin(), shape_.bounds.end(), [&](const CoordinateBound& bound) {
      const std::int64_t step = bound.step(row_);
      if (step == 0) return false;
      std::int64_t low = bound.offset + row * step, high = bound.offset + (row + rows - 1) * step;
      for (const Loop& loop : shape_.k) high += bound.step(loop) * (loop.size - 1);
      return low < 0 || high >= bound.size;
    });
  }

  struct Part {
    Index row, column;
    std::int64_t rows = 0, columns = 0;
    bool cut = false;  ///< some rows reach out of bounds
  };

  void contract(const Part& tile, const Index& block, bool first, bool last) {
    kernel::Contract statement;
    statement.rows = tile.rows;
    statement.columns = tile.columns;
    const Loop none, depth = shape_.k.empty() ? none : shape_.k.back();
    const std::vector<Index> block_at = this->block_at(block);
    Index x = walked(outer_, outer_at_, &Loop::b) + shape_.b_offset,
          w = walked(outer_, outer_at_, &Loop::a) + shape_.a_offset;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      x += block_at[i] * blocks_[i].loop.b;
      w += block_at[i] * blocks_[i].loop.a;
    }
    statement.depth = is_empty_ ? 0 : depth.size;
    fetch_next_block(statement, tile, block_at);
    statement.a = {x_, x + tile.row * row_.b + tile.column * column_.b, row_.b, depth.b, column_.b, run_, stride_run_};
    statement.b = {w_, w + tile.column, depth.a};
    for (std::size_t i = 0; i + 1 < shape_.k.size(); ++i)
      statement.around.push_back({shape_.k[i].size, shape_.k[i].b, shape_.k[i].a});
    for (const CoordinateBound& bound : shape_.bounds)
      if (bound.step(row_) == 0 || tile.cut) statement.bounds.push_back(bound_of(bound, tile, block_at));
    if (!first) statement.start = start_of(tile);
    build().contract(std::move(statement), accumulate_, [&](const Index& row, const Index& column, kernel::Value* sum) {
      emitter_.in_vector([&] { finish(tile, row, column, sum, last); });
    });
  }

  /// Sums over blocks read the next block of both operands soon.
  void fetch_next_block(kernel::Contract& statement, const Part& tile, const std::vector<Index>& block_at) {
    if (blocks_.empty() || by_channels_) return;
    std::int64_t steps = 1;
    for (const Loop& loop : shape_.k) steps *= loop.size;
    const TiledPart part{positions_, row_.size, column_.size, steps};
    const FetchAhead::Place place{sums_at_, tile.row, tile.column, tile.rows, tile.columns};
    const auto fetch = [&](const View& view, int buffer, std::int64_t Loop::* stride, Index next) {
      for (std::size_t i = 0; i < shape_.batch.size(); ++i) next += outer_at_[i] * (shape_.batch[i].*stride);
      for (std::size_t i = 0; i < blocks_.size(); ++i) next += block_at[i] * (blocks_[i].loop.*stride);
      const std::int64_t elements = blocks_.back().loop.*stride;
      FetchAhead(view.base->type, elements, part, options_.second_level)
          .share(statement, buffer, next + elements, place);
    };
    fetch(shape_.b, x_, &Loop::b, Index(0));
    fetch(shape_.a, w_, &Loop::a, Index(0));
  }

  kernel::Contract::Bound bound_of(const CoordinateBound& bound, const Part& tile,
                                   const std::vector<Index>& block_at) const {
    kernel::Contract::Bound made{Index(bound.offset), bound.size, bound.step(row_), {}};
    made.base += tile.row * made.step_row;
    for (std::size_t i = 0; i < outer_.size(); ++i) made.base += outer_at_[i] * bound.step(outer_[i]);
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      made.base += block_at[i] * (blocks_[i].size * bound.step(blocks_[i].loop));
    for (const Loop& loop : shape_.k) made.steps.push_back(bound.step(loop));
    if (shape_.k.empty()) made.steps.push_back(0);
    return made;
  }

  /// Where partial sums are between two blocks.
  kernel::Contract::Start start_of(const Part& tile) {
    if (!chained_in_result_) return {sums_, sums_address(tile.row, tile.column), sums_pitch_};
    const int c = emitter_.buffer_of(group_.op->result(), kernel::Access::inout);
    return {c, emitter_.address(*group_.op->result(), c_indices(tile.row, tile.column)), row_.c};
  }
  Index sums_address(const Index& row, const Index& column) const {
    return (sums_at_ * row_.size + row) * sums_pitch_ + column - sums_column_;
  }

  void finish(const Part& tile, const Index& row, const Index& column, kernel::Value* sum, bool last) {
    const Index r = tile.row + row, c = tile.column + column;
    const ir::Value* result = group_.op->result();
    if (last) {
      const Indices indices = c_indices(r, c);
      emitter_.provide(result, indices, build().convert(sum, result->type.dtype));
      if (images_) images_->keep(indices);
      store_at(emitter_, group_.stored, {indices}, dims_of(*result));
    } else if (chained_in_result_) {
      const int buffer = emitter_.buffer_of(result, kernel::Access::inout);
      build().store(buffer, emitter_.address(*result, c_indices(r, c)), sum);
    } else {
      build().store(sums_, sums_address(r, c), sum);
    }
  }

  /// The element's indices in C from the loops around and inside the tile.
  Indices c_indices(const Index& row, const Index& column) const {
    std::vector<LoopPosition> positions{{&row_, row}, {&column_, column}};
    for (std::size_t i = 0; i < outer_.size(); ++i) positions.push_back({&outer_[i], outer_at_[i]});
    return indices_in_c(shape_.spec, positions);
  }

  const Group group_;  ///< what is computed at the result's positions
  const LoopOptions& options_;
  ContractionShape shape_;  ///< its k in the order in which it is walked
  Emitter& emitter_;
  ImageTasks* images_;  ///< null: tasks are equal parts of the outer loops, or of columns
  DType accumulate_ = DType::f32;
  std::int64_t bytes_ = 4;  ///< of an element of the sums
  double work_ = 0;
  Registers registers_;
  int x_ = -1, w_ = -1, sums_ = -1;
  Loop row_, column_;                      ///< what the tile covers
  std::int64_t run_ = 0, stride_run_ = 0;  ///< rows that are two loops: see kernel::Contract::A
  std::vector<Loop> outer_;                ///< batch and the rest of n
  std::vector<Index> outer_at_;
  Tile tile_;
  /// Of a loop over k, the rest of which is in shape_.k: how often a block of `size` iterations.
  struct Blocks {
    Loop loop;
    std::int64_t size = 1;
  };
  std::vector<Blocks> blocks_;  ///< outermost first; none: a tile's sums are computed in one go
  bool by_channels_ = false;    ///< blocks are of channels, for all positions of an image
  bool chained_in_result_ = false;
  bool is_empty_ = false;  ///< sums are over nothing
  bool is_depthwise_ = false;
  Index sums_at_, sums_column_;  ///< the position of the outer loops, and the column, that sums are kept from
  std::int64_t sums_pitch_ = 1, positions_ = 1;
};

}  // namespace

void write_direct_convolution(const Group& group, Unit& unit, Placement& placement,
                              std::vector<ContractionShape> phases, const LoopOptions& options) {
  Emitter emitter(unit, placement, options.vector_bytes, group.anchors);
  emitter.note(*group.op);
  if (is_winograd(*group.op)) return write_winograd(group, emitter, placement, phases.front(), options);
  if (phases.size() == 1 && group.behind.empty() && is_depthwise_gradient(phases.front(), options))
    return write_depthwise_gradient(group, emitter, phases.front(), options);
  std::optional<ImageTasks> images;
  if (!group.behind.empty() || (phases.size() > 1 && image_loop(phases.front())))
    images.emplace(group, emitter, placement, options, phases.front());
  if (!images && phases.size() == 1)
    return DirectWriter(group, emitter, std::move(phases.front()), options, nullptr).run();
  std::deque<DirectWriter> writers;
  double work = 0;
  for (ContractionShape& phase : phases) {
    writers.emplace_back(group, emitter, std::move(phase), options, images ? &*images : nullptr);
    work += writers.back().work();
  }
  if (!images) {
    for (DirectWriter& writer : writers) writer.run_serial();
    return;
  }
  const Loop* rows = writers.front().rows_of_image();
  const bool alike = rows && std::all_of(writers.begin(), writers.end(), [&](const DirectWriter& writer) {
                       const Loop* own = writer.rows_of_image();
                       return own && own->size == rows->size && own->c == rows->c;
                     });
  images->cut_into_bands(alike ? rows->size : 0, alike ? rows->c : 0);
  const auto band = [&](const Index& task, const Index& part) {
    images->begin_band(part);
    for (DirectWriter& writer : writers) emitter.scoped([&] { writer.run_task(task, part, images->bands()); });
    images->run_behind();
  };
  const auto run = [&](const Index& task) {
    emitter.scoped([&] {
      images->begin(task);
      if (images->bands() == 1) return band(task, Index(0));
      emitter.build().serial_loop("band", images->bands(),
                                  [&](const Index& part) { emitter.scoped([&] { band(task, part); }); });
    });
  };
  if (images->tasks() == 1)
    run(Index(0));
  else if (options.parallel && work >= kParallelFlops)
    emitter.build().parallel_loop("p", images->tasks(), run);
  else
    emitter.build().serial_loop("p", images->tasks(), run);
}

}  // namespace pullback::lower
