#include "compiler/lower/depthwise_gradient.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "compiler/lower/contraction_fetch.h"
#include "compiler/lower/direct_convolution.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/tiling.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;

/// Sums of a tile: registers are left for a few pixels of the other operand, and one of x.
constexpr std::int64_t kMostTapSums = 27;
/// Rows of an image of which each meets other rows of the kernels: each is code of its own.
constexpr std::size_t kMostBorders = 9;
/// Pixels that pay for what it costs to load sums and to store them, and what they may take of the first level.
constexpr std::int64_t kFewPixels = 28, kPixelBytes = 28 * 1024;
/// Parts of the channels that may run side by side.
constexpr std::int64_t kMostChannelParts = 8;

/// The loops of such a gradient. Loops of one iteration that are not there move nothing.
struct GradientLoops {
  Loop channels, tap_rows, taps;                                       ///< of the result
  std::vector<Loop> images;                                            ///< those around the pixels
  Loop rows, pixels;                                                   ///< of an image
  const CoordinateBound *cuts_rows = nullptr, *cuts_pixels = nullptr;  ///< null: all taps meet all of them
};

bool moves(const CoordinateBound& bound, const Loop& loop) {
  return bound.step(loop) != 0;
}

/// Nothing where the loops are others.
std::optional<GradientLoops> loops_of_gradient(const ContractionShape& shape) {
  if (!is_depthwise(shape) || shape.n.empty() || shape.n.size() > 2 || shape.k.empty()) return std::nullopt;
  const auto far = [](const Loop& x, const Loop& y) { return std::abs(x.b) > std::abs(y.b); };
  std::vector<Loop> taps = shape.n, pixels = shape.k;
  std::stable_sort(taps.begin(), taps.end(), far);
  std::stable_sort(pixels.begin(), pixels.end(), far);
  GradientLoops loops;
  loops.channels = shape.batch.front();
  loops.taps = taps.back();
  if (taps.size() > 1) loops.tap_rows = taps.front();
  loops.pixels = pixels.back();
  pixels.pop_back();
  if (taps.size() > 1 && !pixels.empty()) {
    loops.rows = pixels.back();
    pixels.pop_back();
  }
  loops.images = std::move(pixels);
  if (taps.size() > 1 && loops.tap_rows.c != loops.taps.c * loops.taps.size) return std::nullopt;
  for (const CoordinateBound& bound : shape.bounds) {
    const bool of_pixels = moves(bound, loops.taps) || moves(bound, loops.pixels);
    if (of_pixels && (moves(bound, loops.tap_rows) || moves(bound, loops.rows))) return std::nullopt;
    if (std::any_of(loops.images.begin(), loops.images.end(), [&](const Loop& loop) { return moves(bound, loop); }))
      return std::nullopt;
    const CoordinateBound*& cuts = of_pixels ? loops.cuts_pixels : loops.cuts_rows;
    if (cuts) return std::nullopt;
    cuts = &bound;
  }
  return loops;
}

/// Neighbouring rows of an image that meet the same rows of the kernels, from `first` to before `end`.
struct RowsOfImage {
  std::int64_t begin = 0, count = 0, first = 0, end = 0;
};

std::vector<RowsOfImage> rows_of(const GradientLoops& loops) {
  const CoordinateBound* bound = loops.cuts_rows;
  if (!bound) return {{0, loops.rows.size, 0, loops.tap_rows.size}};
  std::vector<RowsOfImage> all;
  for (std::int64_t row = 0; row < loops.rows.size; ++row) {
    const auto is_inside = [&](std::int64_t tap) {
      const std::int64_t at = bound->offset + row * bound->step(loops.rows) + tap * bound->step(loops.tap_rows);
      return at >= 0 && at < bound->size;
    };
    std::int64_t first = 0, end = loops.tap_rows.size;
    while (first < end && !is_inside(first)) ++first;
    while (end > first && !is_inside(end - 1)) --end;
    if (first == end) continue;
    if (!all.empty() && all.back().first == first && all.back().end == end &&
        all.back().begin + all.back().count == row)
      ++all.back().count;
    else
      all.push_back({row, 1, first, end});
  }
  return all;
}

class DepthwiseGradientWriter {
 public:
  DepthwiseGradientWriter(const Group& group, Emitter& emitter, const ContractionShape& shape,
                          const LoopOptions& options)
      : group_(group), shape_(shape), loops_(*loops_of_gradient(shape)), emitter_(emitter) {
    accumulate_ = shape_.spec.accumulate;
    bytes_ = static_cast<std::int64_t>(size_of(accumulate_));
    width_ = options.vector_bytes / bytes_;
    second_level_ = options.second_level;
    x_ = emitter_.buffer_of(shape_.b.base, kernel::Access::in);
    dy_ = emitter_.buffer_of(shape_.a.base, kernel::Access::in);
    all_taps_ = loops_.taps;
    all_taps_.size *= loops_.tap_rows.size;
    all_taps_.dimensions = loops_.tap_rows.dimensions;
    all_taps_.dimensions.insert(all_taps_.dimensions.end(), loops_.taps.dimensions.begin(),
                                loops_.taps.dimensions.end());
    const double work = 2.0 * static_cast<double>(all_taps_.size * loops_.channels.size) *
                        static_cast<double>(ContractionShape::product(shape_.k));
    const std::int64_t vectors = loops_.channels.size / width_;
    if (options.parallel && work >= kParallelFlops && loops_.channels.size % width_ == 0)
      for (parts_ = std::min(vectors, kMostChannelParts); vectors % parts_ != 0;) --parts_;
    part_size_ = loops_.channels.size / parts_;
    sums_ = build().buffer("sums", accumulate_, all_taps_.size * ((part_size_ + width_ - 1) / width_ * width_),
                           kernel::Access::scratch);
  }

  void run() {
    if (parts_ == 1) return run_part(Index(0));
    build().parallel_loop("p", parts_, [&](const Index& p) { emitter_.scoped([&] { run_part(p * part_size_); }); });
  }

 private:
  kernel::Builder& build() { return emitter_.build(); }

  void run_part(const Index& first_channel) {
    first_channel_ = first_channel;
    each_tile([&](const Tile& tile) { contract(tile, false, false); });
    const std::vector<RowsOfImage> all_rows = rows_of(loops_);
    repeat("n", ContractionShape::product(loops_.images), [&](const Index& image) {
      const std::vector<Index> at = positions_in(loops_.images, image);
      const Index x = walked(loops_.images, at, &Loop::b) + shape_.b_offset,
                  dy = walked(loops_.images, at, &Loop::a) + shape_.a_offset;
      for (const RowsOfImage& rows : all_rows) image_rows(rows, x, dy);
    });
    each_tile([&](const Tile& tile) { contract(tile, false, true); });
  }

  void image_rows(const RowsOfImage& rows, const Index& x, const Index& dy) {
    const std::int64_t bytes = (std::abs(loops_.rows.a) + std::abs(loops_.rows.b)) * bytes_;
    const std::int64_t wanted = (kFewPixels + loops_.pixels.size - 1) / loops_.pixels.size,
                       near = kPixelBytes / std::max<std::int64_t>(1, bytes);
    std::int64_t begin = rows.begin;
    for (const Segment& segment : pieces(rows.count, std::clamp<std::int64_t>(std::min(wanted, near), 1, rows.count))) {
      repeat("y", segment.count, [&](const Index& y) {
        const Index row = begin + segment.begin + y * segment.size;
        each_tile(
            [&](Tile tile) {
              tile.x = x + row * loops_.rows.b;
              tile.dy = dy + row * loops_.rows.a;
              tile.rows = segment.size;
              contract(tile, true, false);
            },
            rows.first, rows.end);
      });
    }
  }

  /// Some channels of some taps, and the pixels that they meet: `rows` rows of an image.
  struct Tile {
    Index channel;
    std::int64_t channels = 0, first_tap = 0, taps = 0, rows = 1;
    Index x, dy;
  };

  /// All channels under rows of taps from `first` to before `end`, as many of these together as there are registers
  /// for.
  void each_tile(const std::function<void(const Tile&)>& write, std::int64_t first = 0, std::int64_t end = -1) {
    const std::int64_t run = loops_.taps.size;
    if (end < 0) end = loops_.tap_rows.size;
    for (const Segment& columns : balanced_columns(part_size_, width_, 1))
      repeat("jt", columns.count, [&](const Index& column) {
        for (const Segment& taps : balanced(end - first, std::max<std::int64_t>(1, kMostTapSums / run)))
          for (std::int64_t i = 0; i < taps.count; ++i)
            write({columns.begin + column * columns.size, columns.size, (first + taps.begin + i * taps.size) * run,
                   taps.size * run});
      });
  }

  void repeat(const char* name, std::int64_t count, const std::function<void(const Index&)>& body) {
    if (count == 1) return emitter_.scoped([&] { body(Index(0)); });
    build().serial_loop(name, count, [&](const Index& i) { emitter_.scoped([&] { body(i); }); });
  }

  /// Adds the products of the tile's pixels, if it has any, to sums that begin at zero otherwise, or ends with them.
  void contract(const Tile& tile, bool has_pixels, bool last) {
    const Loop &taps = loops_.taps, &tap_rows = loops_.tap_rows, &rows = loops_.rows, &pixels = loops_.pixels;
    kernel::Contract statement;
    statement.rows = tile.taps;
    statement.columns = tile.channels;
    statement.depth = has_pixels ? pixels.size : 0;
    const Index channel = first_channel_ + tile.channel;
    statement.a = {
        x_, tile.x + channel + tile.first_tap / taps.size * tap_rows.b, taps.b, pixels.b, 1, taps.size, tap_rows.b};
    if (tile.taps == taps.size) statement.a.run = 0;
    statement.b = {dy_, tile.dy + channel, pixels.a};
    if (has_pixels && tile.rows > 1) statement.around.push_back({tile.rows, rows.b, rows.a});
    if (const CoordinateBound* bound = has_pixels ? loops_.cuts_pixels : nullptr) {
      kernel::Contract::Bound cut{Index(bound->offset), bound->size, bound->step(taps), {}};
      cut.steps.assign(statement.around.size(), 0);
      cut.steps.push_back(bound->step(pixels));
      statement.bounds.push_back(std::move(cut));
    }
    if (has_pixels) fetch_next_rows(statement, tile);
    // The sums of a tile are neighbours.
    const auto place = [&](const Index& row, const Index& column) {
      return tile.channel * all_taps_.size + (tile.first_tap + row) * width_ + column;
    };
    if (has_pixels || last) statement.start = {sums_, place(Index(0), Index(0)), width_};
    build().contract(std::move(statement), accumulate_, [&](const Index& row, const Index& column, kernel::Value* sum) {
      if (!last) return build().store(sums_, place(row, column), sum);
      emitter_.in_vector([&] { finish(tile.first_tap + row, channel + column, sum); });
    });
  }

  /// The rows of both operands that the next rows of dy need, too.
  void fetch_next_rows(kernel::Contract& statement, const Tile& tile) {
    const Loop &rows = loops_.rows, &tap_rows = loops_.tap_rows;
    const TiledPart part{1, all_taps_.size, part_size_, tile.rows * loops_.pixels.size};
    const FetchAhead::Place place{Index(0), Index(tile.first_tap), tile.channel, tile.taps, tile.channels};
    const auto fetch = [&](const View& view, int buffer, std::int64_t row, const Index& next) {
      FetchAhead(view.base->type, tile.rows * row, part, second_level_).share(statement, buffer, next, place);
    };
    fetch(shape_.b, x_, rows.b, tile.x + ((tile.rows - 1) * rows.b + tap_rows.size * tap_rows.b));
    fetch(shape_.a, dy_, rows.a, tile.dy + tile.rows * rows.a);
  }

  void finish(const Index& tap, const Index& channel, kernel::Value* sum) {
    const ir::Value* result = group_.op->result();
    const Indices indices = indices_in_c(shape_.spec, {{&all_taps_, tap}, {&loops_.channels, channel}});
    emitter_.provide(result, indices, build().convert(sum, result->type.dtype));
    store_at(emitter_, group_.stored, {indices}, dims_of(*result));
  }

  const Group& group_;
  const ContractionShape& shape_;
  const GradientLoops loops_;
  Emitter& emitter_;
  DType accumulate_ = DType::f32;
  std::int64_t bytes_ = 4, width_ = 16;  ///< of the sums: of one, and of a vector
  std::int64_t second_level_ = 0;
  int x_ = -1, dy_ = -1, sums_ = -1;
  Loop all_taps_;
  std::int64_t parts_ = 1, part_size_ = 0;  ///< channels
  Index first_channel_;                     ///< of the part
};

}  // namespace

bool is_depthwise_gradient(const ContractionShape& shape, const LoopOptions& options) {
  if (options.vector_registers < 32 || ContractionShape::product(shape.k) == 0) return false;
  const std::optional<GradientLoops> loops = loops_of_gradient(shape);
  if (!loops || loops->taps.size < 2 || loops->taps.size > kMostTapSums) return false;
  return loops->pixels.size >= loops->taps.size && rows_of(*loops).size() <= kMostBorders;
}

void write_depthwise_gradient(const Group& group, Emitter& emitter, const ContractionShape& shape,
                              const LoopOptions& options) {
  DepthwiseGradientWriter(group, emitter, shape, options).run();
}

}  // namespace pullback::lower
