#include "compiler/ops/attention_blocks.h"

#include <algorithm>
#include <limits>

namespace pullback::ops {

using kernel::Index;

namespace {

/// Queries and keys in a block: few enough that a block of scores, one of weights' cotangents and what they are
/// computed from stay in the nearest caches, many enough that starting and storing tiles does not count.
constexpr std::int64_t kQueries = 32, kKeys = 64;
/// By causality, half of each block on the diagonal is for nothing: where they are many of all, they are smaller.
constexpr std::int64_t kCausalKeys = 32, kManyKeys = 512;
/// Vectors beside each other in a tile.
constexpr std::int64_t kTileVectors = 3;

/// The rows of a tile: as many as fit, in equal pieces when that costs little.
std::int64_t tile_rows(std::int64_t rows, std::int64_t most) {
  for (std::int64_t size = std::min(rows, most); 4 * size > 2 * most; --size)
    if (rows % size == 0) return size;
  const std::int64_t pieces = (rows + most - 1) / most;
  return (rows + pieces - 1) / pieces;
}

}  // namespace

std::vector<Pieces> cut(std::int64_t total, std::int64_t most) {
  std::vector<Pieces> pieces;
  if (total >= most) pieces.push_back({0, total / most, most});
  if (total % most != 0) pieces.push_back({total / most * most, 1, total % most});
  return pieces;
}

AttentionBlocks::AttentionBlocks(LowerContext& c)
    : c_(c),
      b_(c.build()),
      n_(c.op()),
      at_(c.op()),
      dtype_(c.op().operand(0)->type.dtype),
      causal_(c.attributes().get<bool>("causal")) {
  const Registers registers = c.registers();
  vectors_ = registers.count;
  width_ = std::max<std::int64_t>(1, registers.bytes / static_cast<std::int64_t>(size_of(dtype_)));
  query_block_ = std::max(kQueries, 2 * width_);
  key_block_ = causal_ && n_.keys < kManyKeys ? kCausalKeys : kKeys;
}

void AttentionBlocks::for_each_head(std::int64_t parts, const std::function<void(const Index& part)>& write) {
  std::vector<std::int64_t> sizes = n_.batch;
  sizes.push_back(n_.heads);
  if (n_.groups() * parts == 0) return;
  c_.outer_loop(n_.groups() * parts, [&](const Index& i) {
    head_ = kernel::unflatten(kernel::floordiv(i, parts), sizes);
    write(kernel::mod(i, parts));
  });
}

void AttentionBlocks::for_each_block(const char* name, std::int64_t total, std::int64_t most,
                                     const std::function<void(const Block&)>& write) {
  for (const Pieces& pieces : cut(total, most)) {
    if (pieces.count == 1)
      write({Index(pieces.begin), pieces.size});
    else
      b_.serial_loop(name, pieces.count,
                     [&](const Index& i) { write({i * pieces.size + Index(pieces.begin), pieces.size}); });
  }
}

AttentionBlocks::Matrix AttentionBlocks::rows(const Memory& memory, const Block& block) const {
  const std::size_t length = n_.batch.size();
  Matrix matrix{memory.buffer, memory.offset, memory.strides[length], memory.strides[length + 2]};
  for (std::size_t axis = 0; axis < length; ++axis) matrix.base += head_[axis] * memory.strides[axis];
  matrix.base += head_[length] * memory.strides[length + 1] + block.first * matrix.row_stride;
  return matrix;
}

Indices AttentionBlocks::at_head(std::initializer_list<Index> more) const {
  Indices indices = head_;
  indices.insert(indices.end(), more);
  return indices;
}

AttentionBlocks::Matrix AttentionBlocks::scratch(int& buffer, const char* name, std::int64_t rows,
                                                 std::int64_t columns) {
  if (buffer < 0) buffer = b_.buffer(name, dtype_, rows * columns, kernel::Access::scratch);
  return {buffer, Index(0), columns, 1};
}

void AttentionBlocks::vector_loop(std::int64_t count, const std::function<void(const Index& q)>& lanes) {
  b_.vector_loop("q", count, static_cast<int>(width_), 1, lanes);
}

int AttentionBlocks::two_vectors(std::int64_t count) const {
  return static_cast<int>(count < 2 * width_ ? width_ : 2 * width_);
}

void AttentionBlocks::wide_loop(std::int64_t count, const std::function<void(const Index& q)>& lanes) {
  b_.vector_loop("q", count, two_vectors(count), 1, lanes);
}

void AttentionBlocks::for_each_element(std::int64_t rows, std::int64_t columns,
                                       const std::function<void(const Index& row, const Index& column)>& body) {
  b_.serial_loop("row", rows, [&](const Index& row) {
    b_.vector_loop("column", columns, two_vectors(columns), 1, [&](const Index& column) { body(row, column); });
  });
}

AttentionBlocks::Matrix AttentionBlocks::with_contiguous_rows(const Matrix& matrix, std::int64_t rows,
                                                              std::int64_t columns, int& buffer) {
  if (matrix.column_stride == 1 || columns == 1) return matrix;
  const Matrix copy = scratch(buffer, "rows", std::max(query_block_, key_block_), columns);
  for_each_element(rows, columns,
                   [&](const Index& row, const Index& column) { store(copy, row, column, load(matrix, row, column)); });
  return copy;
}

void AttentionBlocks::multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a,
                               const Matrix& b, const Matrix& start, const Epilogue& epilogue) {
  const std::int64_t vectors = (columns + width_ - 1) / width_;
  const std::int64_t beside = (vectors + kTileVectors - 1) / kTileVectors, wide = (vectors + beside - 1) / beside;
  const std::int64_t most = std::clamp<std::int64_t>((vectors_ - 1 - wide) / wide, 1, 14);
  const auto tile = [&](const Index& row, const Index& column, std::int64_t height, std::int64_t width) {
    kernel::Contract statement;
    statement.rows = height;
    statement.columns = width;
    statement.depth = depth;
    statement.a = {a.buffer, a.at(row, 0), a.row_stride, a.column_stride};
    statement.b = {b.buffer, b.at(0, column), b.row_stride};
    if (start.buffer >= 0) statement.start = {start.buffer, start.at(row, column), start.row_stride};
    b_.contract(std::move(statement), dtype_,
                [&](const Index& r, const Index& c, kernel::Value* sum) { epilogue(row + r, column + c, sum); });
  };
  for_each_block("jt", columns, wide * width_, [&](const Block& across) {
    for_each_block("it", rows, tile_rows(rows, most),
                   [&](const Block& down) { tile(down.first, across.first, down.count, across.count); });
  });
}

void AttentionBlocks::accumulate(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a,
                                 const Matrix& b, const Matrix& c) {
  multiply(rows, columns, depth, a, b, c,
           [&](const Index& row, const Index& column, kernel::Value* sum) { store(c, row, column, sum); });
}

// Squares of elements, which are read along the rows and turned around in registers.
AttentionBlocks::Matrix AttentionBlocks::pack_transposed(const Matrix& from, std::int64_t count, std::int64_t columns,
                                                         double factor, int& buffer) {
  const Matrix packed = scratch(buffer, "packed", columns, query_block_);
  for_each_block("e", columns, 16, [&](const Block& square) {
    vector_loop(count, [&](const Index& q) {
      b_.unrolled_loop("eu", square.count, [&](const Index& u) {
        kernel::Value* element = load(from, q, square.first + u);
        store(packed, square.first + u, q, factor == 1 ? element : b_.mul(element, number(factor)));
      });
    });
  });
  return packed;
}

AttentionBlocks::Matrix AttentionBlocks::scores(const Block& queries, const Block& keys, const Matrix& packed_queries) {
  const Matrix s = scratch(scores_, "scores", key_block_, query_block_);
  multiply(keys.count, queries.count, n_.features, operand(1, keys), packed_queries, {},
           [&](const Index& k, const Index& q, kernel::Value* sum) { store(s, k, q, sum); });
  apply_mask(s, queries, keys);
  return s;
}

void AttentionBlocks::apply_mask(const Matrix& s, const Block& queries, const Block& keys) {
  if (at_.mask) {
    const bool choice = c_.op().operand(*at_.mask)->type.dtype == DType::boolean;
    change_by_keys(s, queries, keys, [&](kernel::Value* score, const Indices& at) {
      kernel::Value* mask = c_.read(*at_.mask, at);
      return choice ? b_.select(mask, score, number(-kInfinity)) : b_.add(score, mask);
    });
  }
  if (!causal_) return;
  // Only a block that the diagonal crosses holds keys that come after queries.
  kernel::Value* crosses = b_.lt(b_.index_value(queries.first), b_.index_value(keys.first + Index(keys.count - 1)));
  b_.if_then(crosses, [&] {
    // Lanes of 32 bits: positions counted from the block's first key.
    const auto offset = [&](const Index& position) { return b_.convert(b_.index_value(position), DType::i32); };
    if (lanes_ < 0) lanes_ = b_.buffer("lanes", DType::i32, query_block_, kernel::Access::scratch);
    vector_loop(queries.count, [&](const Index& q) { b_.store(lanes_, q, offset(queries.first - keys.first + q)); });
    for_each_element(keys.count, queries.count, [&](const Index& k, const Index& q) {
      kernel::Value* after = b_.gt(offset(k), b_.load(lanes_, q));
      store(s, k, q, b_.select(after, number(-kInfinity), load(s, k, q)));
    });
  });
}

void AttentionBlocks::multiply_by_factor(const Matrix& weights, const Block& queries, const Block& keys) {
  if (!at_.factor) return;
  change_by_keys(weights, queries, keys,
                 [&](kernel::Value* weight, const Indices& at) { return b_.mul(weight, c_.read(*at_.factor, at)); });
}

void AttentionBlocks::change_by_keys(const Matrix& s, const Block& queries, const Block& keys,
                                     const std::function<kernel::Value*(kernel::Value*, const Indices&)>& change) {
  for_each_block("k", keys.count, 16, [&](const Block& square) {
    vector_loop(queries.count, [&](const Index& q) {
      b_.unrolled_loop("ku", square.count, [&](const Index& u) {
        const Index k = square.first + u;
        store(s, k, q, change(load(s, k, q), at_head({queries.first + q, keys.first + k})));
      });
    });
  });
}

void AttentionBlocks::where_attended(const Block& queries, const Block& keys, const std::function<void()>& write) {
  if (!causal_) return write();
  const Index last_query = queries.first + Index(queries.count - 1);
  b_.if_then(b_.le(b_.index_value(keys.first), b_.index_value(last_query)), write);
}

}  // namespace pullback::ops
