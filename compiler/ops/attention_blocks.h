// What the kernels of attention and of its gradient share: blocks of queries and keys, products of blocks as register
// tiles, and the scores of a block. Scores are held transposed, keys x queries: the lanes of vectors are queries, so
// that what belongs to a row of scores (its maximum, its sum) is a vector, and nothing is summed across lanes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/ops/attention.h"

namespace pullback::ops {

/// `count` pieces of `size` from `begin` on.
struct Pieces {
  std::int64_t begin = 0, count = 1, size = 1;
};
/// Cuts `total` into pieces of `most`, and a last, smaller one.
std::vector<Pieces> cut(std::int64_t total, std::int64_t most);

class AttentionBlocks {
 protected:
  explicit AttentionBlocks(LowerContext& c);

  /// Part of a matrix in memory: element (row, column) at base + row * row_stride + column * column_stride.
  struct Matrix {
    int buffer = -1;
    kernel::Index base;
    std::int64_t row_stride = 0, column_stride = 0;

    Matrix transposed() const { return {buffer, base, column_stride, row_stride}; }
    kernel::Index at(const kernel::Index& row, const kernel::Index& column) const {
      return base + row * row_stride + column * column_stride;
    }
  };
  /// A block of queries or keys: `count` from `first` on.
  struct Block {
    kernel::Index first;
    std::int64_t count = 0;
  };
  using Epilogue = std::function<void(const kernel::Index& row, const kernel::Index& column, kernel::Value* sum)>;

  /// Calls write(head) for each batch element and head, in a loop that may run in parallel, `parts` times each.
  void for_each_head(std::int64_t parts, const std::function<void(const kernel::Index& part)>& write);
  /// Calls write(block) for each block.
  void for_each_block(const char* name, std::int64_t total, std::int64_t most,
                      const std::function<void(const Block&)>& write);

  /// The block's rows of an operand or result [B...,L,H,E], for the current head.
  Matrix operand(std::size_t i, const Block& block) const { return rows(c_.operand_memory(i), block); }
  Matrix result(std::size_t i, const Block& block) const { return rows(c_.result_memory(i), block); }
  /// The same with neighbouring columns: copied to scratch when they are none.
  Matrix with_contiguous_rows(const Matrix& matrix, std::int64_t rows, std::int64_t columns, int& scratch);

  /// epilogue(row, column, sum over k of a(row, k) * b(k, column)) for all rows and columns, after what lies in `start`
  /// when that has a buffer. b and start have neighbouring columns.
  void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a, const Matrix& b,
                const Matrix& start, const Epilogue& epilogue);
  /// c += a * b
  void accumulate(std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a, const Matrix& b,
                  const Matrix& c);

  /// scratch[e][q] = factor * rows[q][e]
  Matrix pack_transposed(const Matrix& rows, std::int64_t count, std::int64_t columns, double factor, int& scratch);
  /// The block of scores, masked, in scratch; `packed_queries` is scaled and transposed.
  Matrix scores(const Block& queries, const Block& keys, const Matrix& packed_queries);
  /// Multiplies the weights of a block, or their cotangents, with the operand `factor`.
  void multiply_by_factor(const Matrix& weights, const Block& queries, const Block& keys);

  /// Runs `write` unless, by causality, no query of the block attends to a key of the block.
  void where_attended(const Block& queries, const Block& keys, const std::function<void()>& write);

  /// lanes(q): over the queries of a block, in vectors.
  void vector_loop(std::int64_t count, const std::function<void(const kernel::Index& q)>& lanes);
  /// The same by two vectors at once where there are as many queries: long functions of them run side by side.
  void wide_loop(std::int64_t count, const std::function<void(const kernel::Index& q)>& lanes);
  int two_vectors(std::int64_t count) const;
  /// body(row, column) over a matrix, columns in vectors.
  void for_each_element(std::int64_t rows, std::int64_t columns,
                        const std::function<void(const kernel::Index& row, const kernel::Index& column)>& body);
  Matrix scratch(int& buffer, const char* name, std::int64_t rows, std::int64_t columns);
  kernel::Value* load(const Matrix& m, const kernel::Index& row, const kernel::Index& column) {
    return b_.load(m.buffer, m.at(row, column));
  }
  void store(const Matrix& m, const kernel::Index& row, const kernel::Index& column, kernel::Value* value) {
    b_.store(m.buffer, m.at(row, column), value);
  }
  kernel::Value* number(double value) { return b_.constant(dtype_, value); }
  /// The indices of scores [B...,H,L,S] or statistics [B...,H,L].
  Indices at_head(std::initializer_list<kernel::Index> more) const;

  LowerContext& c_;
  kernel::Builder& b_;
  const AttentionSizes n_;
  const AttentionOperands at_;
  const DType dtype_;
  const bool causal_;
  std::int64_t width_ = 1;                        ///< elements of a vector
  std::int64_t query_block_ = 1, key_block_ = 1;  ///< what a block holds at most

 private:
  Matrix rows(const Memory& memory, const Block& block) const;
  void apply_mask(const Matrix& s, const Block& queries, const Block& keys);
  /// change(s, q, k) in place, where reading the operand along the keys is cheap: keys in squares of vectors.
  void change_by_keys(const Matrix& s, const Block& queries, const Block& keys,
                      const std::function<kernel::Value*(kernel::Value*, const Indices&)>& change);

  std::int64_t vectors_ = 16;  ///< that the machine keeps
  Indices head_;               ///< batch..., head
  int scores_ = -1, lanes_ = -1;
};

}  // namespace pullback::ops
