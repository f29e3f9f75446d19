// The form: for each batch element, C[m,n] = sum over k of A(m,k) * B(k,n), as tiles of rows x columns. Columns are the
// direction of vectors, so B and C should be contiguous along them; when it is cheaper, A and B change places and C is
// computed transposed. B is read in place when its columns are contiguous and near; otherwise the panel under a tile's
// columns is packed into scratch, where all row tiles find it.
#include "compiler/lower/contraction.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/ir/text.h"
#include "compiler/lower/access.h"
#include "compiler/lower/contraction_shape.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using ops::Indices;

/// Columns of B further apart than this, along k, are packed: reading them in place misses the TLB.
constexpr std::int64_t kInPlaceColumns = 512;

/// The part of C that one task computes.
struct Part {
  Index row, column;
  std::int64_t rows = 0, columns = 0;
};

class Writer {
 public:
  Writer(const Group& group, Unit& unit, Placement& placement, ContractionShape shape, const LoopOptions& options)
      : group_(group),
        options_(options),
        shape_(std::move(shape)),
        emitter_(unit, placement, options.vector_bytes, group.anchors) {
    emitter_.note(*group.op);
    accumulate_ = shape_.spec.accumulate;
    registers_ = {options.vector_registers, options.vector_bytes / static_cast<std::int64_t>(size_of(accumulate_))};
    a_ = emitter_.buffer_of(shape_.a.base, kernel::Access::in);
    b_ = emitter_.buffer_of(shape_.b.base, kernel::Access::in);
    if (transposed_costs_less()) swap_operands();
    row_ = take(shape_.m, row_of(shape_.m));
    column_ = take(shape_.n, column_of(shape_.n));
    depth_ = take(shape_.k, shape_.k.size() - 1);
    for (const std::vector<Loop>* loops : {&shape_.batch, &shape_.m, &shape_.n})
      outer_.insert(outer_.end(), loops->begin(), loops->end());
    tile_ = choose_tile(row_.size, column_.size, registers_);
    packed_ = column_.size > 1 && (column_.b != 1 || (depth_.b > kInPlaceColumns && row_.size > tile_.rows));
    nest_depth();
    chained_ = can_chain();
  }

  void run() {
    const std::int64_t outer = ContractionShape::product(outer_);
    const double work = 2.0 * static_cast<double>(outer * row_.size * column_.size * depth_.size) *
                        static_cast<double>(ContractionShape::product(shape_.k) * nested_steps());
    if (!options_.parallel || work < kParallelFlops)
      run_serial(outer);
    else if (outer >= 8)
      build().parallel_loop("p", outer, [&](const Index& p) { run_outer(p, whole()); });
    else
      run_parts(outer);
  }

 private:
  /// Elements of k in one block.
  static constexpr std::int64_t kDepth = 512;
  /// Elements of k in a packed panel of several loops.
  static constexpr std::int64_t kPanelDepth = 1024;
  /// Floating operations below which one thread does it all.
  static constexpr double kParallelFlops = 3e6;

  kernel::Builder& build() { return emitter_.build(); }

  static Loop take(std::vector<Loop>& loops, std::size_t position) {
    if (loops.empty()) return {};
    Loop taken = loops[position];
    loops.erase(loops.begin() + static_cast<std::ptrdiff_t>(position));
    return taken;
  }
  /// Rows may lie at any distance: the longest loop, of equal ones the innermost.
  static std::size_t row_of(const std::vector<Loop>& m) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < m.size(); ++i)
      if (m[i].size >= m[best].size) best = i;
    return best;
  }
  /// Columns should be neighbours in B.
  static std::size_t column_of(const std::vector<Loop>& n) {
    for (std::size_t i = n.size(); i-- > 0;)
      if (n[i].b == 1) return i;
    return n.empty() ? 0 : n.size() - 1;
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

  /// About how long the sums take, in vectors of products, when the columns are those of `n` (whose strides in their
  /// operand and in C are given): vectors that are not full, tiles so small that loads take longer than sums, and
  /// elements that must be moved one by one: packed across their memory order, or stored so, which is slower, and in
  /// the epilogue of each tile a lot of code.
  double cost(const std::vector<Loop>& m, const std::vector<Loop>& n, std::size_t column,
              std::int64_t Loop::* stride) const {
    const auto product = [](const std::vector<Loop>& loops) {
      return static_cast<double>(ContractionShape::product(loops));
    };
    const Loop columns = n.empty() ? Loop{} : n[column];
    const std::int64_t vectors = (columns.size + registers_.width - 1) / registers_.width;
    const double sums =
        product(m) * product(n) / static_cast<double>(columns.size) * static_cast<double>(vectors) * product(shape_.k);
    const double wide = static_cast<double>(std::min<std::int64_t>(vectors, 3));
    const Loop row = m.empty() ? Loop{} : m[row_of(m)];
    const double rows = static_cast<double>(std::min<std::int64_t>(row.size, vectors == 1 ? 14 : 8));
    const double loads = std::max(1.0, (rows + wide) / (rows * wide));
    // A panel is packed anew for all but the rows, and where it does not hold all of k, for each tile of these.
    double packs = product(m) / static_cast<double>(row.size);
    if (shape_.k.size() > 1 && ContractionShape::product(shape_.k) > kPanelDepth)
      packs *= static_cast<double>(row.size) / rows;
    return sums * loads + (columns.*stride == 1 ? 0 : packs * product(shape_.k) * product(n)) +
           (columns.c == 1 ? 0 : 8 * product(m) * product(n));
  }

  bool transposed_costs_less() const {
    const std::int64_t m = ContractionShape::product(shape_.m), n = ContractionShape::product(shape_.n);
    if (n == 1) return m > 1;
    if (m == 1) return false;
    std::size_t rows = shape_.m.size() - 1;  // the columns when transposed
    for (std::size_t i = shape_.m.size(); i-- > 0;)
      if (shape_.m[i].a == 1) {
        rows = i;
        break;
      }
    return cost(shape_.n, shape_.m, rows, &Loop::a) < cost(shape_.m, shape_.n, column_of(shape_.n), &Loop::b);
  }

  void swap_operands() {
    const auto swap_sides = [](std::vector<Loop>& loops) {
      for (Loop& loop : loops) std::swap(loop.a, loop.b);
    };
    std::swap(shape_.m, shape_.n);
    std::swap(shape_.a_offset, shape_.b_offset);
    std::swap(a_, b_);
    for (std::vector<Loop>* loops : {&shape_.batch, &shape_.m, &shape_.n, &shape_.k}) swap_sides(*loops);
  }

  Part whole() const { return {Index(0), Index(0), row_.size, column_.size}; }

  void run_serial(std::int64_t outer) {
    if (outer == 1) return run_outer(Index(0), whole());
    build().serial_loop("o", outer, [&](const Index& o) { run_outer(o, whole()); });
  }

  /// Cuts rows, or columns where B is packed or rows are few, into tasks.
  void run_parts(std::int64_t outer) {
    const std::int64_t row_tiles = (row_.size + tile_.rows - 1) / tile_.rows;
    const bool by_rows = !packed_ && row_tiles >= 8;
    const std::int64_t unit = by_rows ? tile_.rows : tile_.vectors * registers_.width;
    const Split parts =
        by_rows ? split(row_.size, unit, std::min<std::int64_t>(16, row_tiles / 4)) : split(column_.size, unit, 32);
    build().parallel_loop("p", outer * parts.count, [&](const Index& p) {
      const Index part = kernel::mod(p, parts.count), o = kernel::floordiv(p, parts.count);
      const auto run = [&](std::int64_t size) {
        Part task = whole();
        (by_rows ? task.row : task.column) = part * parts.size;
        (by_rows ? task.rows : task.columns) = size;
        emitter_.scoped([&] { run_outer(o, task); });
      };
      if (parts.last == parts.size) return run(parts.size);
      kernel::Value* full = build().lt(build().index_value(part), build().integer(DType::i64, parts.count - 1));
      build().if_then_else(full, [&] { run(parts.size); }, [&] { run(parts.last); });
    });
  }

  /// One batch element (or outer m, n): `position` runs over all of outer_.
  void run_outer(const Index& position, const Part& part) {
    std::vector<std::int64_t> sizes;
    for (const Loop& loop : outer_) sizes.push_back(loop.size);
    outer_at_ = kernel::unflatten(position, sizes);
    emitter_.scoped([&] { run_part(part); });
  }

  /// Deep sums go block by block of k, so that a panel of B and the rows of A it meets stay in the cache. The chains
  /// continue through C.
  void run_part(const Part& part) {
    const std::int64_t blocks = chained_ ? (depth_.size + kDepth - 1) / kDepth : 1;
    const std::int64_t size = (depth_.size + blocks - 1) / blocks;
    const auto block = [&](const Index& begin, std::int64_t depth, bool first, bool last) {
      block_ = {begin, depth, first, last};
      emitter_.scoped([&] { run_block(part); });
    };
    if (blocks == 1) return block(Index(0), depth_.size, true, true);
    block(Index(0), size, true, false);
    if (blocks > 2)
      build().serial_loop("kb", blocks - 2, [&](const Index& b) { block((b + Index(1)) * size, size, false, false); });
    block(Index((blocks - 1) * size), depth_.size - (blocks - 1) * size, false, true);
  }

  void run_block(const Part& part) {
    for (const Segment& columns : balanced_columns(part.columns, registers_.width, tile_.vectors))
      repeat("jt", columns, [&](const Index& begin) {
        const Index column = part.column + begin;
        // With several k loops the panel differs for each, and is packed beside the tile.
        if (packed_ && shape_.k.empty()) pack(column, columns.size, {});
        for (const Segment& rows : balanced(part.rows, tile_.rows))
          repeat("it", rows,
                 [&](const Index& first) { run_tile({part.row + first, column, rows.size, columns.size}); });
      });
  }

  void repeat(const char* name, const Segment& segment, const std::function<void(const Index&)>& body) {
    if (segment.count == 1) return emitter_.scoped([&] { body(Index(segment.begin)); });
    build().serial_loop(name, segment.count,
                        [&](const Index& i) { emitter_.scoped([&] { body(segment.begin + i * segment.size); }); });
  }

  /// A tile's whole sum over k. All but the innermost k loop continue the chains of a tile kept in scratch.
  void run_tile(const Part& tile) {
    const std::int64_t steps = ContractionShape::product(shape_.k);
    if (steps == 1) return contract(tile, {}, !block_.first, block_.last);
    contract(tile, k_at(Index(0)), false, false);
    if (steps > 2)
      build().serial_loop("ks", steps - 2, [&](const Index& s) {
        emitter_.scoped([&] { contract(tile, k_at(s + Index(1)), true, false); });
      });
    contract(tile, k_at(Index(steps - 1)), true, true);
  }

  std::vector<Index> k_at(const Index& position) const {
    std::vector<std::int64_t> sizes;
    for (const Loop& loop : shape_.k) sizes.push_back(loop.size);
    return kernel::unflatten(position, sizes);
  }

  static Index walk(const std::vector<Loop>& loops, const std::vector<Index>& at, std::int64_t Loop::* stride) {
    Index position;
    for (std::size_t i = 0; i < at.size(); ++i) position += at[i] * (loops[i].*stride);
    return position;
  }

  Index a_base(const Index& row, const std::vector<Index>& k) const {
    return walk(outer_, outer_at_, &Loop::a) + walk(shape_.k, k, &Loop::a) + row * row_.a + block_.begin * depth_.a +
           shape_.a_offset;
  }
  Index b_base(const Index& column, const std::vector<Index>& k) const {
    return walk(outer_, outer_at_, &Loop::b) + walk(shape_.k, k, &Loop::b) + column * column_.b +
           block_.begin * depth_.b + shape_.b_offset;
  }

  std::int64_t panel_width() const { return tile_.vectors * registers_.width; }

  int scratch(int& buffer, const char* name, DType dtype, std::int64_t elements) {
    if (buffer < 0) buffer = build().buffer(name, dtype, elements, kernel::Access::scratch);
    return buffer;
  }

  /// Copies all of k x columns of B, contiguous along columns.
  void pack(const Index& column, std::int64_t columns, const std::vector<Index>& k) {
    if (nested_.empty()) return pack_depth(column, columns, k, Index(0), Index(0));
    std::vector<std::int64_t> sizes;
    for (const Loop& loop : nested_) sizes.push_back(loop.size);
    build().serial_loop("kn", nested_steps(), [&](const Index& i) {
      emitter_.scoped([&] {
        pack_depth(column, columns, k, walk(nested_, kernel::unflatten(i, sizes), &Loop::b),
                   i * (block_.depth * panel_width()));
      });
    });
  }

  /// The innermost loop over k, its elements of B `from` further on, to the panel's position `to`.
  void pack_depth(const Index& column, std::int64_t columns, const std::vector<Index>& k, const Index& from,
                  const Index& to) {
    const DType dtype = build().buffer(b_).dtype;
    const int panel = scratch(panel_, "panel", dtype, most_depth() * nested_steps() * panel_width());
    const Index base = b_base(column, k) + from;
    const int width = emitter_.width_of(dtype);
    const auto move = [&](const Index& d, const Index& c) {
      build().store(panel, to + d * panel_width() + c, build().load(b_, base + d * depth_.b + c * column_.b));
    };
    if (depth_.b != 1) {
      build().serial_loop("kp", block_.depth, [&](const Index& d) {
        build().vector_loop("np", columns, width, 1, [&](const Index& c) { move(d, c); });
      });
      return;
    }
    // B lies transposed: square blocks, so that each cache line is used up at once.
    for (const Segment& block : balanced(block_.depth, 16))
      repeat("kp", block, [&](const Index& begin) {
        build().vector_loop("np", columns, width, 1, [&](const Index& c) {
          build().unrolled_loop("kq", block.size, [&](const Index& d) { move(begin + d, c); });
        });
      });
  }

  void contract(const Part& tile, const std::vector<Index>& k, bool continued, bool last) {
    if (packed_ && !shape_.k.empty()) pack(tile.column, tile.columns, k);
    kernel::Contract statement;
    statement.rows = tile.rows;
    statement.columns = tile.columns;
    statement.depth = block_.depth;
    statement.a = {a_, a_base(tile.row, k), row_.a, depth_.a};
    if (packed_)
      statement.b = {panel_, Index(0), panel_width()};
    else
      statement.b = {b_, b_base(tile.column, k), depth_.b};
    std::int64_t inside = block_.depth;
    for (std::size_t i = nested_.size(); i-- > 0; inside *= nested_[i].size)
      statement.around.insert(statement.around.begin(),
                              {nested_[i].size, nested_[i].a, packed_ ? inside * panel_width() : nested_[i].b});
    if (continued && chained_) statement.start = {c_buffer(), c_address(tile.row, tile.column), row_.c};
    if (continued && !chained_) statement.start = {sums_, Index(0), panel_width()};
    build().contract(std::move(statement), accumulate_, [&](const Index& row, const Index& column, kernel::Value* sum) {
      emitter_.in_vector([&] {
        if (last)
          epilogue(tile.row + row, tile.column + column, sum);
        else if (chained_)
          build().store(c_buffer(), c_address(tile.row + row, tile.column + column), sum);
        else
          build().store(scratch(sums_, "sums", accumulate_, tile_.rows * panel_width()), row * panel_width() + column,
                        sum);
      });
    });
  }

  int c_buffer() { return emitter_.buffer_of(group_.op->result(), kernel::Access::inout); }
  Index c_address(const Index& row, const Index& column) const {
    return emitter_.address(*group_.op->result(), c_indices(row, column));
  }

  /// Are partial sums kept in C? It must be stored, in the type of the sums and with neighbouring columns.
  bool can_chain() const {
    const ir::Value* c = group_.op->result();
    const ir::Integers strides = ir::strides_of(*c);
    const std::vector<std::int64_t> dims = dims_of(*c);
    std::int64_t expected = 1;
    for (std::size_t d = dims.size(); d-- > 0; expected *= dims[d])
      if (strides[d] != expected) return false;
    return std::find(group_.stored.begin(), group_.stored.end(), c) != group_.stored.end() &&
           c->type.dtype == accumulate_ && column_.c == 1 && shape_.k.empty() && nested_.empty() &&
           depth_.size >= 2 * kDepth && row_.size > tile_.rows;
  }

  std::int64_t most_depth() const {
    const std::int64_t blocks = chained_ ? (depth_.size + kDepth - 1) / kDepth : 1;
    return (depth_.size + blocks - 1) / blocks;
  }

  void epilogue(const Index& row, const Index& column, kernel::Value* sum) {
    const ir::Value* c = group_.op->result();
    const Indices indices = c_indices(row, column);
    emitter_.provide(c, indices, build().convert(sum, c->type.dtype));
    store_at(emitter_, group_.stored, indices, dims_of(*c));
  }

  /// The element's indices in C from the loops around and inside the tile.
  Indices c_indices(const Index& row, const Index& column) const {
    std::vector<Index> at(shape_.spec.dimensions.size());
    const auto place = [&](const Loop& loop, const Index& position) {
      std::vector<std::int64_t> sizes;
      for (std::size_t d : loop.dimensions) sizes.push_back(shape_.spec.dimensions[d].size);
      const std::vector<Index> along = kernel::unflatten(position, sizes);
      for (std::size_t i = 0; i < along.size(); ++i) at[loop.dimensions[i]] = along[i];
    };
    for (std::size_t i = 0; i < outer_.size(); ++i) place(outer_[i], outer_at_[i]);
    place(row_, row);
    place(column_, column);
    Indices indices;
    for (const auto& coordinate : shape_.spec.c.coordinates) {
      Index index(coordinate.offset);
      for (const auto& term : coordinate.terms) index += at[term.dimension] * term.coefficient;
      indices.push_back(index);
    }
    return indices;
  }

  const Group& group_;
  const LoopOptions& options_;
  ContractionShape shape_;
  Emitter emitter_;
  DType accumulate_ = DType::f32;
  Registers registers_;
  int a_ = -1, b_ = -1, panel_ = -1, sums_ = -1;
  Loop row_, column_, depth_;  ///< what the tile covers
  std::vector<Loop> nested_;   ///< over k around depth_, within the tile's statement; shape_.k holds those outside
  std::vector<Loop> outer_;    ///< batch and the rest of m, n
  std::vector<Index> outer_at_;
  Tile tile_;
  bool packed_ = false;   ///< panels of B are copied
  bool chained_ = false;  ///< k is cut into blocks
  /// The part of k that is being written.
  struct Block {
    Index begin;
    std::int64_t depth = 0;
    bool first = true, last = true;
  } block_;
};

}  // namespace

void write_contraction(const Group& group, Unit& unit, Placement& placement, Accesses& accesses,
                       const LoopOptions& options) {
  const auto stored = [&](const ir::Value& v) { return placement.has(&v) || is_leaf(v); };
  std::optional<ContractionShape> shape = contraction_shape(*group.op, accesses, stored);
  if (!shape) throw InternalError("lower: operands of the contraction " + ir::print(*group.op) + " are not in memory");
  Writer(group, unit, placement, std::move(*shape), options).run();
}

}  // namespace pullback::lower
