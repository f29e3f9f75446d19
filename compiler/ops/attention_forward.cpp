// The kernel of attention: for each block of queries, all blocks of keys one after the other. The softmax is kept for
// the keys met so far (the largest score, the sum of exponentials, the sum of values); a larger score scales it down.
#include <limits>

#include "compiler/ops/attention_blocks.h"

namespace pullback::ops {

namespace {

using kernel::Index;

class ForwardWriter : AttentionBlocks {
 public:
  explicit ForwardWriter(LowerContext& c) : AttentionBlocks(c) {}

  void write() {
    const std::vector<Pieces> pieces = cut(n_.queries, query_block_);
    std::int64_t blocks = 0;
    for (const Pieces& p : pieces) blocks += p.count;
    for_each_head(blocks, [&](const Index& part) {
      const Block full{part * query_block_, pieces.front().size};
      if (pieces.size() == 1) return attend(full);
      const Block tail{Index(pieces.back().begin), pieces.back().size};
      kernel::Value* is_full = b_.lt(b_.index_value(part), b_.integer(DType::i64, blocks - 1));
      b_.if_then_else(is_full, [&] { attend(full); }, [&] { attend(tail); });
    });
  }

 private:
  void attend(const Block& queries) {
    top_ = scratch(top_buffer_, "top", 1, query_block_);
    total_ = scratch(total_buffer_, "total", 1, query_block_);
    shrink_ = scratch(shrink_buffer_, "shrink", 1, query_block_);
    sums_ = scratch(sums_buffer_, "sums", query_block_, n_.value_features);
    const Matrix packed = pack_transposed(operand(0, queries), queries.count, n_.features,
                                          c_.attributes().get<double>("scale"), packed_buffer_);
    vector_loop(queries.count, [&](const Index& q) {
      store(top_, 0, q, number(-kInfinity));
      store(total_, 0, q, number(0));
    });
    for_each_element(queries.count, n_.value_features,
                     [&](const Index& q, const Index& v) { store(sums_, q, v, number(0)); });
    for_each_block("kb", n_.keys, key_block_,
                   [&](const Block& keys) { where_attended(queries, keys, [&] { meet(queries, keys, packed); }); });
    finish(queries);
  }

  void meet(const Block& queries, const Block& keys, const Matrix& packed_queries) {
    const Matrix weights = scores(queries, keys, packed_queries);
    wide_loop(queries.count, [&](const Index& q) { exponentials(weights, keys.count, q); });
    multiply_by_factor(weights, queries, keys);
    if (n_.keys > key_block_)
      for_each_element(queries.count, n_.value_features, [&](const Index& q, const Index& v) {
        store(sums_, q, v, b_.mul(load(sums_, q, v), load(shrink_, 0, q)));
      });
    const Matrix values = with_contiguous_rows(operand(2, keys), keys.count, n_.value_features, values_buffer_);
    accumulate(queries.count, n_.value_features, keys.count, weights.transposed(), values, sums_);
  }

  /// Scores become exponentials, for the queries of one vector.
  void exponentials(const Matrix& s, std::int64_t keys, const Index& q) {
    kernel::Value* before = load(top_, 0, q);
    kernel::Value* top = largest(s, keys, q, before);
    store(top_, 0, q, top);
    // While there is no key, scores are -infinity: less 0 they stay so.
    kernel::Value* shift = b_.select(b_.eq(top, number(-kInfinity)), number(0), top);
    kernel::Value* sum = b_.loop("k", keys, {}, {{number(0)}}, [&](const Index& k, const auto& carried) {
      kernel::Value* exponential = b_.call("exp", b_.sub(load(s, k, q), shift));
      store(s, k, q, exponential);
      return std::vector<kernel::Value*>{b_.add(carried[0], exponential)};
    })[0];
    kernel::Value* shrink = b_.call("exp", b_.sub(before, shift));
    store(shrink_, 0, q, shrink);
    store(total_, 0, q, b_.fma(load(total_, 0, q), shrink, sum));
  }

  /// Of the scores of a vector of queries and `first`; four at a time, so that comparisons do not wait for each other.
  kernel::Value* largest(const Matrix& s, std::int64_t keys, const Index& q, kernel::Value* first) {
    const auto larger = [&](kernel::Value* x, kernel::Value* y) { return b_.select(b_.gt(x, y), x, y); };
    constexpr std::int64_t kChains = 4;
    std::vector<kernel::Value*> tops =
        b_.loop("k4", keys / kChains, {}, std::vector<kernel::Builder::Carry>(kChains, {first}),
                [&](const Index& k, const std::vector<kernel::Value*>& carried) {
                  std::vector<kernel::Value*> next;
                  for (std::int64_t i = 0; i < kChains; ++i)
                    next.push_back(larger(load(s, k * kChains + Index(i), q), carried[static_cast<std::size_t>(i)]));
                  return next;
                });
    for (std::int64_t k = keys / kChains * kChains; k < keys; ++k) tops.push_back(load(s, Index(k), q));
    kernel::Value* top = tops[0];
    for (std::size_t i = 1; i < tops.size(); ++i) top = larger(tops[i], top);
    return top;
  }

  /// The sums of values become means, and the statistics are known.
  void finish(const Block& queries) {
    vector_loop(queries.count, [&](const Index& q) {
      kernel::Value* total = load(total_, 0, q);
      kernel::Value* none = b_.eq(load(top_, 0, q), number(-kInfinity));
      store(shrink_, 0, q, b_.div(number(1), b_.select(none, number(1), total)));
      c_.store(1, at_head({queries.first + q}),
               b_.select(none, number(kInfinity), b_.add(load(top_, 0, q), b_.call("log", total))));
    });
    const Matrix output = result(0, queries);
    for_each_element(queries.count, n_.value_features, [&](const Index& q, const Index& v) {
      store(output, q, v, b_.mul(load(sums_, q, v), load(shrink_, 0, q)));
    });
  }

  Matrix top_, total_, shrink_, sums_;
  int top_buffer_ = -1, total_buffer_ = -1, shrink_buffer_ = -1, sums_buffer_ = -1;
  int packed_buffer_ = -1, values_buffer_ = -1;
};

}  // namespace

void lower_attention(LowerContext& c) {
  ForwardWriter(c).write();
}

}  // namespace pullback::ops
