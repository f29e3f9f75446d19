// The kernel of attention's gradient: for each head, block by block of queries and keys, the weights are computed again
// from the scores and their rows' statistics, and go into the sums of all three gradients.
#include <algorithm>

#include "compiler/ops/attention_blocks.h"

namespace pullback::ops {

namespace {

using kernel::Index;

class GradientWriter : AttentionBlocks {
 public:
  explicit GradientWriter(LowerContext& c) : AttentionBlocks(c) {
    const ir::Integers& wanted = c.attributes().integers("wanted");
    for (std::size_t i = 0; i < wanted.size(); ++i) results_[wanted[i]] = static_cast<std::ptrdiff_t>(i);
  }

  void write() {
    for_each_head(1, [&](const Index&) {
      clear(0, n_.queries, n_.features);
      clear(1, n_.keys, n_.features);
      clear(2, n_.keys, n_.value_features);
      for_each_block("qb", n_.queries, query_block_, [&](const Block& queries) { walk_keys(queries); });
    });
  }

 private:
  bool wants(std::size_t i) const { return results_[i] >= 0; }
  Matrix gradient(std::size_t i, const Block& block) const {
    return result(static_cast<std::size_t>(results_[i]), block);
  }

  void clear(std::size_t i, std::int64_t rows, std::int64_t columns) {
    if (!wants(i)) return;
    const Matrix all = gradient(i, {Index(0), rows});
    for_each_element(rows, columns, [&](const Index& row, const Index& column) { store(all, row, column, number(0)); });
  }

  void walk_keys(const Block& queries) {
    const Matrix packed_queries = pack_transposed(operand(0, queries), queries.count, n_.features, scale(), queries_);
    const Matrix g = operand(at_.cotangent, queries);
    Matrix packed_cotangents;
    if (wants(0) || wants(1)) {
      packed_cotangents = pack_transposed(g, queries.count, n_.value_features, 1, cotangents_);
      sum_output(queries, packed_cotangents);
    }
    const Matrix rows_of_queries =
        wants(1) ? with_contiguous_rows(operand(0, queries), queries.count, n_.features, query_rows_) : Matrix{};
    const Matrix rows_of_cotangents =
        wants(2) ? with_contiguous_rows(g, queries.count, n_.value_features, cotangent_rows_) : Matrix{};
    for_each_block("kb", n_.keys, key_block_, [&](const Block& keys) {
      where_attended(queries, keys, [&] {
        const Matrix weights = scores(queries, keys, packed_queries);
        for_each_element(keys.count, queries.count, [&](const Index& k, const Index& q) {
          kernel::Value* statistic = c_.read(at_.statistics, at_head({queries.first + q}));
          store(weights, k, q, b_.call("exp", b_.sub(load(weights, k, q), statistic)));
        });
        if (wants(0) || wants(1)) add_score_gradients(queries, keys, weights, packed_cotangents, rows_of_queries);
        if (!wants(2)) return;
        multiply_by_factor(weights, queries, keys);
        accumulate(keys.count, n_.value_features, queries.count, weights, rows_of_cotangents, gradient(2, keys));
      });
    });
  }

  /// shift[q] = sum of output * cotangent, less the statistics' cotangent.
  void sum_output(const Block& queries, const Matrix& packed_cotangents) {
    shift_ = scratch(shift_buffer_, "shift", 1, query_block_);
    const Matrix output = operand(at_.output, queries);
    vector_loop(queries.count, [&](const Index& q) {
      store(shift_, 0, q,
            at_.statistics_cotangent ? b_.neg(c_.read(*at_.statistics_cotangent, at_head({queries.first + q})))
                                     : number(0));
    });
    for_each_block("v", n_.value_features, 16, [&](const Block& square) {
      vector_loop(queries.count, [&](const Index& q) {
        kernel::Value* sum =
            b_.loop("vu", square.count, {kernel::LoopKind::unrolled}, {{load(shift_, 0, q)}},
                    [&](const Index& u, const std::vector<kernel::Value*>& carried) {
                      const Index v = square.first + u;
                      return std::vector{b_.fma(load(output, q, v), load(packed_cotangents, v, q), carried[0])};
                    })[0];
        store(shift_, 0, q, sum);
      });
    });
  }

  void add_score_gradients(const Block& queries, const Block& keys, const Matrix& weights,
                           const Matrix& packed_cotangents, const Matrix& rows_of_queries) {
    const Matrix ds = scratch(ds_buffer_, "ds", key_block_, query_block_);
    const auto finish = [&](const Index& k, const Index& q, kernel::Value* product) {
      kernel::Value* difference = b_.sub(product, load(shift_, 0, q));
      store(ds, k, q, b_.mul(b_.mul(load(weights, k, q), difference), number(scale())));
    };
    const auto keep = [&](const Index& k, const Index& q, kernel::Value* product) { store(ds, k, q, product); };
    multiply(keys.count, queries.count, n_.value_features, operand(2, keys), packed_cotangents, {},
             at_.factor ? Epilogue(keep) : Epilogue(finish));
    if (at_.factor) {
      multiply_by_factor(ds, queries, keys);
      for_each_element(keys.count, queries.count,
                       [&](const Index& k, const Index& q) { finish(k, q, load(ds, k, q)); });
    }
    if (wants(1)) accumulate(keys.count, n_.features, queries.count, ds, rows_of_queries, gradient(1, keys));
    if (!wants(0)) return;
    const Matrix rows_of_keys = with_contiguous_rows(operand(1, keys), keys.count, n_.features, key_rows_);
    accumulate(queries.count, n_.features, keys.count, ds.transposed(), rows_of_keys, gradient(0, queries));
  }

  double scale() const { return c_.attributes().get<double>("scale"); }

  std::ptrdiff_t results_[3] = {-1, -1, -1};  ///< of the gradients of query, key and value
  Matrix shift_;
  int queries_ = -1, cotangents_ = -1, query_rows_ = -1, key_rows_ = -1, cotangent_rows_ = -1;
  int shift_buffer_ = -1, ds_buffer_ = -1;
};

}  // namespace

void lower_attention_gradient(LowerContext& c) {
  GradientWriter(c).write();
}

}  // namespace pullback::ops
