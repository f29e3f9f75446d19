// The form: for each batch element, C[m,n] = sum over k of A(m,k) * B(k,n), as tiles of rows x columns. Columns are the
// direction of vectors, so B and C should be contiguous along them; when it is cheaper, A and B change places and C is
// computed transposed. B is read in place when its columns are contiguous and near; otherwise the panels under the
// tiles' columns are packed into scratch, where all row tiles find them. Large A is packed block by block, too. An
// operand that is not in memory is computed as it is packed: the contraction's prologue. Where all rows fit beside one
// panel, and panels are wide, the first row tile reads B in place and fills the panel on the way; else the panels of a
// strip are packed together.
#include "compiler/lower/contraction.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/ir/text.h"
#include "compiler/lower/access.h"
#include "compiler/lower/chain.h"
#include "compiler/lower/contraction_across.h"
#include "compiler/lower/contraction_dots.h"
#include "compiler/lower/contraction_ending.h"
#include "compiler/lower/contraction_fetch.h"
#include "compiler/lower/contraction_packing.h"
#include "compiler/lower/contraction_schedule.h"
#include "compiler/lower/contraction_shape.h"
#include "compiler/lower/direct_convolution.h"
#include "compiler/lower/parallelism.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;

/// The part of C that one task computes.
struct Part {
  Index row, column;
  std::int64_t rows = 0, columns = 0;
};

class Writer {
 public:
  Writer(const Group& group, Unit& unit, Placement& placement, Accesses& accesses, ContractionShape shape,
         const LoopOptions& options)
      : group_(group),
        options_(options),
        shape_(std::move(shape)),
        emitter_(unit, placement, options.vector_bytes, group.anchors) {
    emitter_.note(*group.op);
    accumulate_ = shape_.spec.accumulate;
    registers_ = {options.vector_registers, options.vector_bytes / static_cast<std::int64_t>(size_of(accumulate_))};
    if (registers_.vectors == 32) order_taps(shape_);
    const ContractionSchedule schedule = choose_schedule(problem(placement, accesses), options.schedules, *unit.kernel);
    if (schedule.transposed) swap_operands(shape_);
    if (placement.is_stored(*shape_.a.base)) a_ = emitter_.buffer_of(shape_.a.base, kernel::Access::in);
    if (placement.is_stored(*shape_.b.base)) b_ = emitter_.buffer_of(shape_.b.base, kernel::Access::in);
    const TileLoops loops = take_tile_loops(shape_);
    row_ = loops.row;
    column_ = loops.column;
    depth_ = loops.depth;
    chained_ = shape_.k.empty() && keeps_sums(group_, accumulate_) && column_.c == 1;
    tile_ = schedule.tile;
    blocking_ = schedule.blocking;
    packed_ = schedule.pack_columns;
    pack_rows_ = schedule.pack_rows;
    paired_ = schedule.paired;
    if (pack_rows_) packed_rows_ = PackedRows(tile_.rows, packed_depth(blocking_.depth), depth_.a == 1);
    nest_depth();
    choose_filter();
    if (!filters_) choose_inner();
    for (const std::vector<Loop>* around : {&shape_.batch, &shape_.m, &shape_.n})
      outer_.insert(outer_.end(), around->begin(), around->end());
    const auto far = [](const Loop& x, const Loop& y) { return std::abs(x.c) > std::abs(y.c); };
    if (filters_) std::stable_sort(outer_.begin(), outer_.end(), far);
    if (is_plain() && inner_.empty() && row_.size >= kFetchingRows) choose_fetches();
  }

  void run() {
    const std::int64_t outer = ContractionShape::product(outer_);
    const double work = 2.0 * static_cast<double>(outer * row_.size * column_.size * depth_.size) *
                        static_cast<double>(ContractionShape::product(shape_.k) * nested_steps() * inner_steps());
    if (!options_.parallel || work < kParallelFlops)
      repeat("o", outer, [&](const Index& o) { run_outer(o, whole()); });
    else if (outer < kOuterParts)
      run_parts(outer, work);
    else if (const Grid grid = choose_row_parts(outer, work); are_row_parts(grid))
      run_row_parts(grid);
    else
      build().parallel_loop("p", outer, [&](const Index& p) { run_outer(p, whole()); });
  }

 private:
  /// Parts of a parallel contraction: more share better among more threads, but repeat packing.
  static constexpr std::int64_t kMostParts = 16;
  /// Batch elements that are parts enough.
  static constexpr std::int64_t kOuterParts = 8, kFetchingRows = 4;

  kernel::Builder& build() { return emitter_.build(); }

  ContractionProblem problem(const Placement& placement, Accesses& accesses) const {
    const ir::Value &a = *shape_.a.base, &b = *shape_.b.base;
    const bool has_a = placement.is_stored(a), has_b = placement.is_stored(b);
    const bool keeps = keeps_sums(group_, accumulate_), is_long = has_long_ending(group_, placement, accesses);
    return {shape_,     {a.type.dtype, has_a}, {b.type.dtype, has_b}, accumulate_, keeps, is_long,
            registers_, options_.second_level, options_.has_bf16_dot};
  }

  /// The loops over k outside of depth_ belong to the tile's statement; but where B is packed, the outer ones of many
  /// are walked one by one, each with a panel of its own.
  void nest_depth() {
    std::int64_t steps = depth_.size;
    while (!shape_.k.empty() && (!packed_ || steps * shape_.k.back().size <= kPanelDepth)) {
      steps *= shape_.k.back().size;
      nested_.insert(nested_.begin(), shape_.k.back());
      shape_.k.pop_back();
    }
  }
  std::int64_t nested_steps() const { return ContractionShape::product(nested_); }

  /// A filter for each channel: A has no rows.
  void choose_filter() {
    if (packed_ || pack_rows_ || !shape_.k.empty() || row_.size > 1 || shape_.n.empty() || column_.b != 1 ||
        blocking_.depth != depth_.size)
      return;
    filters_ = true;
    row_ = shape_.n.back();
    shape_.n.pop_back();
    tile_ = filter_tile({row_, column_, depth_}, !nested_.empty(), registers_);
    blocking_.rows = row_.size;
  }

  /// The rows of an image, say, of which each is C's columns: where all of them stay near, C is written along memory.
  void choose_inner() {
    if (packed_ || !shape_.k.empty() || blocking_.depth != depth_.size || row_.size <= tile_.rows) return;
    inner_ = take_near_loops(shape_, {row_, column_, depth_}, nested_, kOuterParts,
                             options_.second_level / 4 / extents().bytes);
    inner_at_.resize(inner_.size());
  }
  std::int64_t inner_steps() const { return ContractionShape::product(inner_); }

  /// What blocks of k, or the next of several matrices B, read next, where that lies right behind. Of fewer rows, which
  /// read B as fast as memory gives it, fetching would only be more work.
  void choose_fetches() {
    const bool has_blocks = blocking_.depth < depth_.size;
    const bool has_next_b = !outer_.empty() && outer_.back().b == depth_.size * depth_.b;
    const auto behind = [&](const View& view, const Loop& across) {
      return FetchAhead(view.base->type, blocking_.depth * across.size, {1, row_.size, column_.size, blocking_.depth},
                        options_.second_level);
    };
    if (column_.b == 1 && depth_.b == column_.size && (has_blocks || has_next_b)) next_b_ = behind(shape_.b, column_);
    if (row_.a == 1 && depth_.a == row_.size && has_blocks) next_a_ = behind(shape_.a, row_);
  }

  Extents extents() const {
    return {row_.size, column_.size, packed_depth(depth_.size),
            static_cast<std::int64_t>(size_of(packed_type(*shape_.a.base)))};
  }
  DType packed_type(const ir::Value& operand) const {
    return paired_ ? DType::u32 : lower::packed_type(operand.type.dtype, accumulate_);
  }
  /// Steps of the depth in scratch memory.
  std::int64_t packed_depth(std::int64_t depth) const { return paired_ ? paired_steps(depth) : depth; }

  Part whole() const { return {Index(0), Index(0), row_.size, column_.size}; }

  Grid choose_parts(const Extents& extents, double work, std::int64_t outer) const {
    const auto most = std::min<std::int64_t>(kMostParts, static_cast<std::int64_t>(work / kParallelFlops) + 1);
    return choose_grid(extents, tile_, registers_, std::max<std::int64_t>(1, most / outer), pack_rows_, packed_,
                       options_.second_level);
  }

  /// Panels of B, one for each step of the outer loops, are columns of a wider one: tasks may be some of the rows for
  /// many panels, rather than a panel each.
  Grid choose_row_parts(std::int64_t outer, double work) const {
    return choose_parts({row_.size, column_.size * outer, extents().depth, extents().bytes}, work, 1);
  }
  bool are_row_parts(const Grid& grid) const {
    return shape_.batch.empty() && shape_.m.empty() && !filters_ && grid.rows.count > 1 &&
           grid.columns.size % column_.size == 0 && grid.columns.last == grid.columns.size;
  }
  void run_row_parts(const Grid& grid) {
    const std::int64_t panels = grid.columns.size / column_.size;
    build().parallel_loop("p", grid.count(), [&](const Index& p) {
      const Index row = kernel::floordiv(p, grid.columns.count), first = kernel::mod(p, grid.columns.count) * panels;
      each_size(grid.rows, row, [&](std::int64_t rows) {
        const Part part{row * grid.rows.size, Index(0), rows, column_.size};
        emitter_.scoped([&] { repeat("o", panels, [&](const Index& o) { run_outer(first + o, part); }); });
      });
    });
  }

  /// Cuts C into tasks.
  void run_parts(std::int64_t outer, double work) {
    const Grid grid = choose_parts(extents(), work, outer);
    build().parallel_loop("p", outer * grid.count(), [&](const Index& p) {
      const Index column = kernel::mod(p, grid.columns.count);
      const Index row = kernel::mod(kernel::floordiv(p, grid.columns.count), grid.rows.count);
      const Index o = kernel::floordiv(p, grid.count());
      each_size(grid.rows, row, [&](std::int64_t rows) {
        each_size(grid.columns, column, [&](std::int64_t columns) {
          emitter_.scoped([&] { run_outer(o, {row * grid.rows.size, column * grid.columns.size, rows, columns}); });
        });
      });
    });
  }

  /// Writes `run` for whole pieces and for the last one.
  void each_size(const Split& split, const Index& piece, const std::function<void(std::int64_t)>& run) {
    if (split.count == 1 || split.last == split.size) return run(split.last);
    kernel::Value* whole = build().lt(build().index_value(piece), build().integer(DType::i64, split.count - 1));
    build().if_then_else(whole, [&] { run(split.size); }, [&] { run(split.last); });
  }

  /// One batch element (or outer m, n): `position` runs over all of outer_.
  void run_outer(const Index& position, const Part& part) {
    outer_at_ = positions_in(outer_, position);
    emitter_.scoped([&] { run_part(part); });
  }

  /// Deep sums go block by block of k, so that panels of B and the rows of A they meet stay in the cache. The chains
  /// continue through C, or through scratch memory.
  void run_part(const Part& part) {
    const std::int64_t size = blocking_.depth, blocks = (depth_.size + size - 1) / size;
    const std::int64_t last = depth_.size - (blocks - 1) * size;
    part_ = part;
    const auto block = [&](const Index& begin, std::int64_t depth, const Chain& chain) {
      block_ = {begin, depth, chain};
      emitter_.scoped([&] { run_block(part); });
    };
    if (blocks == 1) return block(Index(0), size, {});
    // Blocks of one size are one loop, all of which end alike where sums are all that is stored.
    const std::int64_t equal = last == size ? blocks : blocks - 1;
    if (equal == 1)
      block(Index(0), size, {.goes_on = true});
    else
      build().serial_loop("kb", equal, [&](const Index& b) {
        const bool ends_apart = !chained_ || group_.stored.size() > 1 || group_.anchors.size() > 1;
        block(b * size, size, chain_of(build(), b, equal, last == size, ends_apart));
      });
    if (last < size) block(Index(equal * size), last, {.continues = true});
  }

  /// Columns of B whose panels are packed together, then blocks of rows.
  void run_block(const Part& part) {
    for (const Segment& columns : pieces(part.columns, blocking_.columns))
      repeat("nb", columns, [&](const Index& first) {
        Part strip = part;
        strip.column = part.column + first;
        strip.columns = columns.size;
        const std::vector<Segment> row_blocks = pieces(part.rows, blocking_.rows);
        const bool several_blocks = row_blocks.size() > 1 || row_blocks.front().count > 1;
        const bool narrow = panel_width() * extents().bytes < kWidePanel && columns.size > panel_width();
        all_panels_ = packed_ && shape_.k.empty() && nested_.empty() && (several_blocks || narrow);
        copies_ =
            packed_ && !paired_ && !all_panels_ && shape_.k.empty() && nested_.empty() && b_ >= 0 && column_.b == 1;
        if (all_panels_)
          pack_strip(build(), columns_from(b_base(strip.column, {})),
                     balanced_columns(columns.size, registers_.width, tile_.vectors), panel_buffer(), registers_.width);
        if (ends_alike(row_blocks)) return run_alike(strip, row_blocks.front(), row_blocks.back().size);
        for (const Segment& rows : row_blocks)
          repeat("mb", rows, [&](const Index& row) {
            Part rest = strip;
            rest.row = part.row + row;
            rest.rows = rows.size;
            run_rows(rest);
          });
      });
  }

  /// Are there tiles in the shorter last block that are as large as those of the others?
  bool ends_alike(const std::vector<Segment>& row_blocks) const {
    return row_blocks.size() > 1 && row_blocks.front().size % tile_.rows == 0 && shape_.k.empty() && !copies_ &&
           inner_.empty() && balanced(row_blocks.back().size, tile_.rows).front().size == tile_.rows;
  }

  /// Blocks of rows of which the last is shorter, in one loop: a tile is written once, and left out where it would lie
  /// behind those of the last block.
  void run_alike(const Part& part, const Segment& blocks, std::int64_t last_rows) {
    const std::vector<Segment> last = balanced(last_rows, tile_.rows);
    const std::int64_t tiles = blocks.size / tile_.rows, all = blocks.count * tiles + last.front().count;
    const auto number = [&](std::int64_t value) { return build().integer(DType::i64, value); };
    repeat("mb", blocks.count + 1, [&](const Index& block) {
      const Index row = part.row + block * blocks.size;
      if (pack_rows_)
        each_size({blocks.count + 1, blocks.size, last_rows}, block, [&](std::int64_t rows) {
          emitter_.scoped([&] { pack_rows({row, part.column, rows, part.columns}); });
        });
      for (const Segment& columns : balanced_columns(part.columns, registers_.width, tile_.vectors))
        repeat("jt", columns, [&](const Index& begin) {
          if (packed_ && !all_panels_) pack(part.column + begin, columns.size, {});
          panel_is_filled_ = true;
          panel_at_ = all_panels_ ? begin * packed_depth(block_.depth) : Index(0);
          const auto tile = [&](const Index& position, const Index& first, std::int64_t rows) {
            packed_row_ = packed_rows_.base(position, first);
            emitter_.scoped([&] { run_tile({row + first, part.column + begin, rows, columns.size}); });
          };
          repeat("it", tiles, [&](const Index& i) {
            build().if_then(build().lt(build().index_value(block * tiles + i), number(all)),
                            [&] { tile(i, i * tile_.rows, tile_.rows); });
          });
          if (last.size() == 1) return;
          build().if_then(build().lt(number(blocks.count - 1), build().index_value(block)), [&] {
            repeat("it", last.back().count, [&](const Index& i) {
              tile(i + Index(last.front().count), last.back().begin + i * last.back().size, last.back().size);
            });
          });
        });
    });
  }

  /// All columns for rows of A that stay in the cache.
  void run_rows(const Part& part) {
    if (pack_rows_) pack_rows(part);
    if (!inner_.empty()) return run_inner(part);
    const std::int64_t across = columns_across(part), along = part.columns - across;
    if (across > 0) run_across({part.row, part.column + along, part.rows, across});
    for (const Segment& columns : balanced_columns(along, registers_.width, tile_.vectors))
      repeat("jt", columns, [&](const Index& begin) {
        const Index column = part.column + begin;
        // With several k loops the panel differs for each, and is packed beside the tile.
        if (packed_ && shape_.k.empty() && !all_panels_ && !copies_) pack(column, columns.size, {});
        std::int64_t before = 0;
        for (const Segment& rows : balanced(part.rows, tile_.rows)) {
          const auto tile_number = [&](const Index& i, bool is_first) {
            const Index first = rows.begin + i * rows.size;
            panel_is_filled_ = !copies_ || !is_first;
            packed_row_ = packed_rows_.base(i + Index(before), first);
            panel_at_ = all_panels_ ? begin * packed_depth(block_.depth) : Index(0);
            run_tile({part.row + first, column, rows.size, columns.size});
          };
          // The first tile that needs a panel fills it on the way.
          const std::int64_t filling = copies_ && before == 0 ? 1 : 0;
          if (filling) emitter_.scoped([&] { tile_number(Index(0), true); });
          if (rows.count > filling)
            repeat("it", rows.count - filling, [&](const Index& i) { tile_number(i + Index(filling), false); });
          before += rows.count;
        }
      });
  }

  /// Do tiles read both operands where they lie, in one loop over k?
  bool is_plain() const {
    return a_ >= 0 && b_ >= 0 && !packed_ && !pack_rows_ && !filters_ && shape_.k.empty() && nested_.empty();
  }

  /// See contraction_across.h.
  std::int64_t columns_across(const Part& part) const {
    const bool may_be_across = is_plain() && block_.depth == depth_.size && row_.a == 1;
    return may_be_across ? lower::columns_across(part.rows, part.columns, registers_.width) : 0;
  }

  void run_across(const Part& part) {
    kernel::Contract tile;
    tile.rows = part.columns;
    tile.depth = depth_.size;
    tile.a = {b_, b_base(part.column, {}), column_.b, depth_.b};
    tile.b = {a_, a_base(part.row, {}), depth_.a};
    contract_across(emitter_, tile, part.rows, accumulate_, registers_.vectors,
                    [&](const Index& row, const Index& column, kernel::Value* sum) {
                      epilogue(part.row + row, part.column + column, sum);
                    });
  }

  /// For a tile's rows all of the inner loops, and in each all columns.
  void run_inner(const Part& part) {
    std::int64_t before = 0;
    for (const Segment& rows : balanced(part.rows, tile_.rows)) {
      repeat("it", rows.count, [&](const Index& i) {
        const Index first = rows.begin + i * rows.size;
        packed_row_ = packed_rows_.base(i + Index(before), first);
        repeat("n", inner_steps(), [&](const Index& position) {
          inner_at_ = positions_in(inner_, position);
          for (const Segment& columns : balanced_columns(part.columns, registers_.width, tile_.vectors))
            repeat("jt", columns, [&](const Index& column) {
              run_tile({part.row + first, part.column + column, rows.size, columns.size});
            });
        });
      });
      before += rows.count;
    }
  }

  void repeat(const char* name, const Segment& segment, const std::function<void(const Index&)>& body) {
    repeat(name, segment.count, [&](const Index& i) { body(segment.begin + i * segment.size); });
  }
  void repeat(const char* name, std::int64_t count, const std::function<void(const Index&)>& body) {
    if (count == 1) return emitter_.scoped([&] { body(Index(0)); });
    build().serial_loop(name, count, [&](const Index& i) { emitter_.scoped([&] { body(i); }); });
  }

  /// A tile's whole sum over k. All but the innermost k loop continue the chains of a tile kept in scratch.
  void run_tile(const Part& tile) {
    const std::int64_t steps = ContractionShape::product(shape_.k);
    if (steps == 1) return contract(tile, {}, block_.chain);
    contract(tile, positions_in(shape_.k, Index(0)), {.goes_on = true});
    if (steps > 2)
      build().serial_loop("ks", steps - 2, [&](const Index& s) {
        emitter_.scoped(
            [&] { contract(tile, positions_in(shape_.k, s + Index(1)), {.continues = true, .goes_on = true}); });
      });
    contract(tile, positions_in(shape_.k, Index(steps - 1)), {.continues = true});
  }

  Index a_base(const Index& row, const std::vector<Index>& k) const {
    return walked(outer_, outer_at_, &Loop::a) + walked(shape_.k, k, &Loop::a) + row * row_.a +
           block_.begin * depth_.a + shape_.a_offset;
  }
  Index b_base(const Index& column, const std::vector<Index>& k) const {
    return walked(outer_, outer_at_, &Loop::b) + walked(inner_, inner_at_, &Loop::b) + walked(shape_.k, k, &Loop::b) +
           column * column_.b + block_.begin * depth_.b + shape_.b_offset;
  }

  std::int64_t panel_width() const { return tile_.vectors * registers_.width; }

  int scratch(int& buffer, const char* name, DType dtype, std::int64_t elements) {
    if (buffer < 0) buffer = build().buffer(name, dtype, elements, kernel::Access::scratch);
    return buffer;
  }

  int panel_buffer() {
    const std::int64_t columns =
        all_panels_ ? panel_pitch(std::min(column_.size, blocking_.columns), registers_.width) : panel_width();
    return scratch(panel_, "panel", packed_type(*shape_.b.base),
                   packed_depth(blocking_.depth) * nested_steps() * columns);
  }

  /// The element at a position of an operand, which lies in `buffer` or is computed here.
  kernel::Value* element(const ir::Value& operand, int buffer, const Index& position) {
    if (buffer >= 0) return build().load(buffer, position);
    return emitter_.in_vector(
        [&] { return emitter_.element(&operand, kernel::unflatten(position, dims_of(operand))); });
  }

  /// `read` gives the operand's elements; they are packed for the block.
  PackingSource packed(const ir::Value& operand, PackingSource::Element read, bool along_depth) {
    const DType type = packed_type(operand);
    const int width = emitter_.width_of(type);
    if (paired_) return pairs_of(build(), read, block_.depth, along_depth, width);
    const PackingSource::Element converted = [this, type, read = std::move(read)](const Index& i, const Index& d) {
      return build().convert(read(i, d), type);
    };
    return {{{{0, 1, block_.depth}, converted}}, along_depth, width};
  }

  PackingSource columns_from(const Index& base) {
    const ir::Value& b = *shape_.b.base;
    return packed(
        b,
        [this, base, &b](const Index& c, const Index& d) {
          return element(b, b_, base + d * depth_.b + c * column_.b);
        },
        depth_.b == 1);
  }

  /// Copies all of k x columns of B, contiguous along columns.
  void pack(const Index& column, std::int64_t columns, const std::vector<Index>& k) {
    const auto copy = [&](const Index& from, const Index& to) {
      pack_panel(build(), columns_from(b_base(column, k) + from), columns, panel_buffer(), to, panel_width());
    };
    if (nested_.empty()) return copy(Index(0), Index(0));
    build().serial_loop("kn", nested_steps(), [&](const Index& i) {
      emitter_.scoped(
          [&] { copy(walked(nested_, positions_in(nested_, i), &Loop::b), i * (block_.depth * panel_width())); });
    });
  }

  void pack_rows(const Part& part) {
    const ir::Value& a = *shape_.a.base;
    const std::int64_t rows = std::min((row_.size + tile_.rows - 1) / tile_.rows * tile_.rows, blocking_.rows);
    const int to = scratch(rows_, "rows", packed_type(a), packed_rows_.elements(rows));
    const Index base = a_base(part.row, {});
    const PackingSource::Element read = [this, base, &a](const Index& r, const Index& d) {
      return element(a, a_, base + r * row_.a + d * depth_.a);
    };
    packed_rows_.pack(build(), packed(a, read, depth_.a == 1), part.rows, to);
  }

  void contract(const Part& tile, const std::vector<Index>& k, const Chain& chain) {
    if (packed_ && !shape_.k.empty()) pack(tile.column, tile.columns, k);
    kernel::Contract statement;
    statement.rows = tile.rows;
    statement.columns = tile.columns;
    statement.depth = packed_depth(block_.depth);
    statement.a = {a_, a_base(tile.row, k), row_.a, depth_.a};
    if (pack_rows_) statement.a = {rows_, packed_row_, packed_rows_.stride_row(), packed_rows_.stride_depth(tile.rows)};
    statement.b = {b_, b_base(tile.column, k), depth_.b};
    if (packed_ && panel_is_filled_)
      statement.b = {panel_buffer(), panel_at_,
                     all_panels_ ? panel_pitch(tile.columns, registers_.width) : panel_width()};
    else if (packed_)
      statement.copy = {panel_buffer(), panel_at_, panel_width()};
    if (part_.rows == row_.size && part_.columns == column_.size) {
      const FetchAhead::Place place{Index(0), tile.row, tile.column, tile.rows, tile.columns};
      next_b_.share(statement, b_, b_base(Index(0), {}) + block_.depth * depth_.b, place);
      next_a_.share(statement, a_, a_base(Index(0), {}) + block_.depth * depth_.a, place);
    }
    if (filters_) {
      statement.a = {b_, b_base(tile.column, k) + tile.row * row_.b, row_.b, depth_.b, 1};
      statement.b = {a_, a_base(tile.row, k), depth_.a, 0};
    }
    std::int64_t inside = block_.depth;
    for (std::size_t i = nested_.size(); i-- > 0; inside *= nested_[i].size)
      statement.around.insert(statement.around.begin(),
                              {nested_[i].size, nested_[i].a, packed_ ? inside * panel_width() : nested_[i].b});
    if (filters_)
      for (kernel::Contract::Around& loop : statement.around) std::swap(loop.stride_a, loop.stride_b);
    if (chain.continues)
      statement.start = {chained_ ? c_buffer() : sums_buffer(), sums_at(tile, Index(0), Index(0)),
                         chained_ ? row_.c : sums_pitch(), chain.if_continues};
    build().contract(std::move(statement), accumulate_, [&](const Index& row, const Index& column, kernel::Value* sum) {
      const auto keep = [&] { build().store(chained_ ? c_buffer() : sums_buffer(), sums_at(tile, row, column), sum); };
      const auto finish = [&] { emitter_.scoped([&] { epilogue(tile.row + row, tile.column + column, sum); }); };
      emitter_.in_vector([&] { end_chain(build(), chain, keep, finish); });
    });
  }

  /// Sums of a chain, where not in C: in scratch memory, of one tile where k has several loops, else of the part.
  bool sums_of_tile() const { return !shape_.k.empty(); }
  std::int64_t sums_rows() const { return sums_of_tile() ? tile_.rows : row_.size; }
  std::int64_t sums_pitch() const { return sums_of_tile() ? panel_width() : part_.columns; }
  int sums_buffer() { return scratch(sums_, "sums", accumulate_, sums_rows() * sums_pitch()); }
  Index sums_at(const Part& tile, const Index& row, const Index& column) const {
    if (chained_) return c_address(tile.row + row, tile.column + column);
    if (sums_of_tile()) return row * sums_pitch() + column;
    return (tile.row - part_.row + row) * sums_pitch() + (tile.column - part_.column + column);
  }

  int c_buffer() { return emitter_.buffer_of(group_.op->result(), kernel::Access::inout); }
  Index c_address(const Index& row, const Index& column) const {
    return emitter_.address(*group_.op->result(), c_indices(row, column));
  }

  void epilogue(const Index& row, const Index& column, kernel::Value* sum) {
    const ir::Value* c = group_.op->result();
    const Indices indices = c_indices(row, column);
    emitter_.provide(c, indices, build().convert(sum, c->type.dtype));
    store_at(emitter_, group_.stored, {indices}, dims_of(*c));
  }

  /// The element's indices in C from the loops around and inside the tile.
  Indices c_indices(const Index& row, const Index& column) const {
    std::vector<LoopPosition> positions{{&row_, row}, {&column_, column}};
    for (std::size_t i = 0; i < outer_.size(); ++i) positions.push_back({&outer_[i], outer_at_[i]});
    for (std::size_t i = 0; i < inner_.size(); ++i) positions.push_back({&inner_[i], inner_at_[i]});
    return indices_in_c(shape_.spec, positions);
  }

  const Group& group_;
  const LoopOptions& options_;
  ContractionShape shape_;
  Emitter emitter_;
  DType accumulate_ = DType::f32;
  Registers registers_;
  int a_ = -1, b_ = -1, rows_ = -1, panel_ = -1, sums_ = -1;
  Loop row_, column_, depth_;  ///< what the tile covers
  std::vector<Loop> nested_;   ///< over k around depth_, within the tile's statement; shape_.k holds those outside
  std::vector<Loop> outer_;    ///< batch and the rest of m, n
  std::vector<Loop> inner_;    ///< over n, within those over tiles of rows
  std::vector<Index> outer_at_, inner_at_;
  Tile tile_;
  Blocking blocking_;
  bool filters_ = false;         ///< A has no rows, and B has: A is broadcast
  bool packed_ = false;          ///< panels of B are copied
  bool pack_rows_ = false;       ///< blocks of A are copied
  bool paired_ = false;          ///< both as pairs of bf16
  bool copies_ = false;          ///< the first tile of a panel of B reads it in place and fills it
  bool panel_is_filled_ = true;  ///< by the tile before
  bool chained_ = false;         ///< sums that are not complete are kept in C
  bool all_panels_ = false;      ///< all panels of a strip are copied before its rows are visited
  PackedRows packed_rows_;
  FetchAhead next_a_, next_b_;
  Part part_;                    ///< that is being written
  Index packed_row_, panel_at_;  ///< where the tile's operands lie in scratch memory
  /// The part of k that is being written.
  struct Block {
    Index begin;
    std::int64_t depth = 0;
    Chain chain;
  } block_;
};

}  // namespace

void write_contraction(const Group& group, Unit& unit, Placement& placement, Accesses& accesses,
                       const LoopOptions& options) {
  // What is not in memory and computes something is a prologue.
  const auto reached = [&](const ir::Value& v) { return placement.is_stored(v) || !only_moves(v); };
  std::vector<ContractionShape> shapes = contraction_shapes(*group.op, accesses, reached);
  if (shapes.empty())
    throw InternalError("lower: operands of the contraction " + ir::print(*group.op) + " are not in memory");
  if (is_direct_convolution(*group.op, shapes.front()))
    return write_direct_convolution(group, unit, placement, std::move(shapes), options);
  if (!group.behind.empty())
    throw InternalError("lower: what reads images of " + ir::print(*group.op) + " has no kernel that goes by images");
  if (!shapes.front().bounds.empty() || shapes.size() > 1)
    throw InternalError("lower: the padding of " + ir::print(*group.op) + " is not in memory");
  if (sums_along_memory(shapes.front(), placement, options))
    return write_dots(group, unit, placement, std::move(shapes.front()), options);
  Writer(group, unit, placement, accesses, std::move(shapes.front()), options).run();
}

}  // namespace pullback::lower
