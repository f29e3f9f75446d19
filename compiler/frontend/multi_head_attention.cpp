// Multi-head attention with PyTorch's weights and masks.
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <pullback/attention.h>
#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/attention.h"
#include "compiler/frontend/operands.h"

namespace pullback {

namespace {

constexpr const char* kOp = "multi_head_attention";

// Shapes inside: query [N,L,E], key [N,S,K], value [N,S,V]; masks are additive or bool with true for "attend".
class MultiHead {
 public:
  MultiHead(const Tensor& query, const Tensor& key, const Tensor& value, const MultiHeadWeights& weights,
            const MultiHeadOptions& options, const SourceLine& line)
      : weights_(weights), options_(options), line_(line), batched_(query.rank() == 3) {
    require_operands(query, key, value);
    query_ = batch_first(query);
    key_ = batch_first(key);
    value_ = batch_first(value);
    width_ = query_.size(2);
    require_weights();
    const std::optional<Dim> head = options.heads > 0 ? width_.divided_by(Dim(options.heads)) : std::nullopt;
    if (!head || !head->is_constant())
      fail(fmt::format("query is {}: {} features don't make {} heads", query.type_string(), width_.to_string(),
                       options.heads));
    head_ = *head;
  }

  MultiHeadResult run() {
    Tensor q = projected(query_, 0, weights_.q_proj), k = projected(key_, 1, weights_.k_proj),
           v = projected(value_, 2, weights_.v_proj);
    if (weights_.bias_k.defined()) {
      k = extended(k, weights_.bias_k);
      v = extended(v, weights_.bias_v);
    }
    q = heads(q);
    k = heads(k);
    v = heads(v);
    if (options_.add_zero_attention) {
      k = with_zeros(k);
      v = with_zeros(v);
    }
    return options_.need_weights || !detail::can_attend(q.dtype()) ? with_weights(q, k, v) : without_weights(q, k, v);
  }

 private:
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_.constant())); }

  // mixed [N,L,heads,D]
  Tensor output(const Tensor& mixed) const {
    const Tensor joined = reshape(mixed, {query_.size(0), query_.size(1), width_});
    return restored(affine(joined, weights_.out_proj, weights_.out_proj_bias));
  }

  MultiHeadResult with_weights(const Tensor& q, const Tensor& k, const Tensor& v) const {
    const auto by_head = [](const Tensor& x) { return permute(x, {0, 2, 1, 3}); };
    Tensor scores = matmul(by_head(q) * scale(), transpose(by_head(k)));
    for (const Tensor& mask : masks(k.size(1))) scores = detail::masked(scores, mask);
    if (options_.causal) scores = detail::masked(scores, causal_mask(q, k.size(1)));
    const Tensor weights = detail::attention_weights(scores);
    const Tensor mixed = matmul(options_.dropout != 0 ? dropout(weights, options_.dropout) : weights, by_head(v));
    MultiHeadResult result;
    result.output = output(by_head(mixed));
    if (!options_.need_weights) return result;
    result.weights = options_.average_weights ? mean(weights, 1) : weights;
    if (!batched_) result.weights = squeeze(result.weights, 0);
    return result;
  }

  MultiHeadResult without_weights(const Tensor& q, const Tensor& k, const Tensor& v) const {
    std::vector<Tensor> given = masks(k.size(1));
    // Keys that were added are for all queries, the last ones too.
    const bool by_order = options_.causal && k.size(1) == key_.size(1);
    if (options_.causal && !by_order) given.push_back(causal_mask(q, k.size(1)));
    detail::AttendOptions attend{.causal = by_order, .scale = scale(), .dropout = options_.dropout};
    for (const Tensor& mask : given) {
      if (!attend.mask.defined())
        attend.mask = mask;
      else if (attend.mask.dtype() == boolean)
        attend.mask = mask.dtype() == boolean ? attend.mask & mask : detail::masked(mask, attend.mask);
      else
        attend.mask = detail::masked(attend.mask, mask);
    }
    return {.output = output(detail::attend(q, k, v, attend, line_)), .weights = {}};
  }

  [[noreturn]] void fail(const std::string& message) const { detail::fail(kOp, message, line_); }

  void require_operands(const Tensor& query, const Tensor& key, const Tensor& value) const {
    detail::require_float(kOp, query, line_);
    const std::string operands =
        fmt::format("query is {}, key is {}, value is {}", query.type_string(), key.type_string(), value.type_string());
    const std::size_t rank = query.rank();
    if ((rank != 2 && rank != 3) || key.rank() != rank || value.rank() != rank)
      fail(operands + ": [L,N,E], [S,N,K], [S,N,V] or, without a batch, [L,E], [S,K], [S,V] are needed");
    const int length = batched_ && options_.batch_first ? 1 : 0;
    if (!(key.size(length) == value.size(length))) fail(operands + ": there must be as many values as keys");
    if (batched_ && !(query.size(1 - length) == key.size(1 - length) && key.size(1 - length) == value.size(1 - length)))
      fail(operands + ": the batches differ");
  }

  void require(const char* role, const Tensor& given, const Shape& shape) const {
    if (given.defined() && given.dtype() == query_.dtype() && given.shape() == shape) return;
    fail(fmt::format("{} is {}, but {}{} is needed", role, given.defined() ? given.type_string() : "undefined",
                     name_of(query_.dtype()), to_string(shape)));
  }
  void require_weights() const {
    const Dim &e = width_, keys = key_.size(2), values = value_.size(2);
    if (weights_.in_proj.defined()) {
      require("in_proj", weights_.in_proj, {Dim(3) * e, e});
      if (!(keys == e && values == e))
        fail(fmt::format("key is {}, value is {}: with other than {} features they need k_proj and v_proj",
                         key_.type_string(), value_.type_string(), e.to_string()));
    } else {
      require("q_proj", weights_.q_proj, {e, e});
      require("k_proj", weights_.k_proj, {e, keys});
      require("v_proj", weights_.v_proj, {e, values});
    }
    if (weights_.in_proj_bias.defined()) require("in_proj_bias", weights_.in_proj_bias, {Dim(3) * e});
    require("out_proj", weights_.out_proj, {e, e});
    if (weights_.out_proj_bias.defined()) require("out_proj_bias", weights_.out_proj_bias, {e});
    if (weights_.bias_k.defined() != weights_.bias_v.defined()) fail("one of bias_k and bias_v is missing");
  }

  // The axes of x as [N,length,features], and back.
  Tensor batch_first(const Tensor& x) const {
    if (!batched_) return unsqueeze(x, 0);
    return options_.batch_first ? x : transpose(x, 0, 1);
  }
  Tensor restored(const Tensor& x) const {
    if (!batched_) return squeeze(x, 0);
    return options_.batch_first ? x : transpose(x, 0, 1);
  }

  // Third `part` of x, which is stacked along axis 0.
  Tensor third(const Tensor& x, std::int64_t part) const {
    return narrow(x, 0, part * width_.constant(), width_.constant());
  }
  static Tensor affine(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Tensor y = matmul(x, transpose(weight));
    return bias.defined() ? y + bias : y;
  }
  Tensor projected(const Tensor& x, std::int64_t part, const Tensor& own) const {
    const Tensor weight = weights_.in_proj.defined() ? third(weights_.in_proj, part) : own;
    return affine(x, weight, weights_.in_proj_bias.defined() ? third(weights_.in_proj_bias, part) : Tensor());
  }

  // [N,S,E] with one more row, the bias.
  Tensor extended(const Tensor& x, const Tensor& bias) const {
    const Tensor row = reshape(bias, {1, 1, width_});
    return concat({x, expand(row, {x.size(0), 1, width_})}, 1);
  }
  // [N,S,heads,D] with one more row of zeros.
  static Tensor with_zeros(const Tensor& x) { return pad(x, {{0, 0}, {0, 1}, {0, 0}, {0, 0}}); }

  // [N,S,E] -> [N,S,heads,D].
  Tensor heads(const Tensor& x) const { return reshape(x, {x.size(0), x.size(1), options_.heads, head_}); }

  // A mask with a column for each key that was added, which all may attend to. Bool masks say "attend".
  Tensor widened(const Tensor& mask, const Dim& keys) const {
    Tensor attend = mask.dtype() == boolean ? !mask : mask;
    for (std::int64_t added = 0; !(attend.size(-1) == keys); ++added) {
      if (added == 2) fail(fmt::format("a mask is {}, for {} keys", mask.type_string(), keys.to_string()));
      Shape column = attend.shape();
      column.back() = Dim(1);
      const Tensor open = detail::fill(*attend.trace(), attend.dtype(), column, mask.dtype() == boolean ? 1 : 0, line_);
      attend = concat({attend, open}, -1);
    }
    return attend;
  }

  void require_mask(const char* role, const Tensor& mask) const {
    if (mask.dtype() != boolean && mask.dtype() != query_.dtype())
      fail(fmt::format("{} is {}: bool or the query's dtype is needed", role, mask.type_string()));
  }

  Tensor causal_mask(const Tensor& trace, const Dim& keys) const {
    return widened(!detail::causal_mask(trace, query_.size(1), key_.size(1), line_), keys);
  }

  // Those given, for scores [N,heads,L,keys].
  std::vector<Tensor> masks(const Dim& keys) const {
    std::vector<Tensor> found;
    if (options_.mask.defined()) {
      require_mask("mask", options_.mask);
      Tensor mask = options_.mask;
      if (mask.rank() == 3) mask = reshape(mask, {query_.size(0), options_.heads, mask.size(1), mask.size(2)});
      if (mask.rank() < 2 || mask.rank() > 4 || !(mask.size(-2) == query_.size(1)))
        fail(fmt::format("mask is {}: [L,S] or [N*heads,L,S] is needed", options_.mask.type_string()));
      found.push_back(widened(mask, keys));
    }
    if (options_.key_padding_mask.defined()) {
      const Tensor& given = options_.key_padding_mask;
      require_mask("key_padding_mask", given);
      const Tensor padding = batched_ ? given : unsqueeze(given, 0);
      if (padding.rank() != 2 || !(padding.size(0) == query_.size(0)))
        fail(fmt::format("key_padding_mask is {}: [N,S] is needed, [S] without a batch", given.type_string()));
      found.push_back(unsqueeze(unsqueeze(widened(padding, keys), 1), 1));
    }
    return found;
  }

  const MultiHeadWeights& weights_;
  const MultiHeadOptions& options_;
  SourceLine line_;
  bool batched_;
  Tensor query_, key_, value_;
  Dim width_, head_;
};

}  // namespace

MultiHeadResult multi_head_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const MultiHeadWeights& weights, const MultiHeadOptions& options,
                                     SourceLocation where) {
  for (const Tensor& operand : {query, key, value}) detail::require_defined(kOp, operand, where);
  detail::Pin pin(query, where);
  return MultiHead(query, key, value, weights, options, query.trace()->line(where)).run();
}

}  // namespace pullback
