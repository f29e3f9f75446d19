// Scaled dot-product attention, and the multi-head attention that projects into and out of it.
#include <pullback/attention.h>

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/attention.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/reductions.h"

namespace pullback {

namespace detail {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

Tensor masked(const Tensor& scores, const Tensor& mask) {
  return mask.dtype() == boolean ? where(mask, scores, kMasked) : scores + mask;
}

Tensor causal_mask(const Tensor& scores, const Dim& queries, const Dim& keys, const SourceLine& line) {
  const auto positions = [&](const Shape& shape, std::int64_t axis) {
    return scores.trace()->emit("iota", {}, line, [&](ir::Builder& b, const std::vector<ops::Value>&) {
      return ops::iota(b, i64, shape, axis);
    });
  };
  return positions({1, keys}, 1) <= positions({queries, 1}, 0);
}

Tensor attention_weights(const Tensor& scores) {
  const int last = static_cast<int>(scores.rank()) - 1;
  const SourceLine line = scores.trace()->line(SourceLocation::current());  // pinned by the caller
  const Tensor top = stop_gradient(largest(scores, {last}, line));
  // Of a row that is masked as a whole the maximum is -infinity and the sum 0.
  const Tensor exponentials = exp(scores - where(equal(top, kMasked), 0.0, top));
  const Tensor total = sum(exponentials, -1, true);
  return exponentials / where(equal(total, 0.0), 1.0, total);
}

bool can_attend(DType dtype) {
  return dtype == f32 || dtype == f64;
}

Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const AttendOptions& options,
              const SourceLine& line) {
  Trace& trace = *query.trace();
  Shape scores(query.shape().begin(), query.shape().end() - 3);
  scores.insert(scores.end(), {query.size(-2), query.size(-3), key.size(-3)});
  std::vector<Tensor> operands{query, key, value};
  if (options.mask.defined()) operands.push_back(broadcast_to(options.mask, scores, line));
  // Dropping out ones gives what to multiply the weights with.
  if (options.dropout != 0) operands.push_back(dropout(fill(trace, query.dtype(), scores, 1, line), options.dropout));
  return trace.create("attention", operands,
                      {{"causal", options.causal},
                       {"mask", options.mask.defined()},
                       {"factor", options.dropout != 0},
                       {"scale", options.scale}},
                      line);
}

}  // namespace detail

namespace {

void require_attention(const Tensor& query, const Tensor& key, const Tensor& value, const SourceLine& line) {
  const std::string operands =
      fmt::format("query is {}, key is {}, value is {}", query.type_string(), key.type_string(), value.type_string());
  const auto fail = [&](const char* reason) {
    detail::fail("scaled_dot_product_attention", operands + ": " + reason, line);
  };
  detail::require_float("scaled_dot_product_attention", query, line);
  if (query.dtype() != key.dtype() || key.dtype() != value.dtype()) fail("the dtypes differ; cast() them");
  if (query.rank() < 2 || key.rank() < 2 || value.rank() < 2) fail("[...,L,E], [...,S,E] and [...,S,V] are needed");
  if (!(query.size(-1) == key.size(-1))) fail("query and key differ in their last axis");
  if (!(key.size(-2) == value.size(-2))) fail("there must be as many values as keys");
}

void require_mask(const Tensor& mask, const Shape& scores, DType dtype, const SourceLine& line) {
  if (!mask.defined()) return;
  const std::string types =
      fmt::format("the mask is {}, the scores are {}{}", mask.type_string(), name_of(dtype), to_string(scores));
  if (mask.dtype() != boolean && mask.dtype() != dtype)
    detail::fail("scaled_dot_product_attention", types + ": bool or their dtype is needed", line);
  detail::broadcast_shapes("scaled_dot_product_attention", {scores, mask.shape()}, types, line);
}

// [...,H,S,E] -> [...,H*n,S,E]: each head n times, for queries in H*n heads.
Tensor repeat_heads(const Tensor& x, const Tensor& query, const SourceLine& line) {
  const auto fail = [&] {
    detail::fail("scaled_dot_product_attention",
                 fmt::format("query is {}, the keys or values are {}: the heads on axis -3 don't divide",
                             query.type_string(), x.type_string()),
                 line);
  };
  if (x.rank() < 3 || query.rank() < 3) fail();
  const std::optional<Dim> times = query.size(-3).divided_by(x.size(-3));
  if (!times) fail();
  if (*times == Dim(1)) return x;
  const Tensor spread = unsqueeze(x, -3);
  Shape repeated = spread.shape(), joined = x.shape();
  repeated[repeated.size() - 3] = *times;
  joined[joined.size() - 3] = query.size(-3);
  return reshape(expand(spread, repeated), joined);
}

/// The factor of the scores: a number where it is known, else (outer) one of the queries.
struct Scale {
  Operand outer = 1.0;
  double inner = 1;
};
Scale scale_of(const Tensor& query, const AttentionOptions& options, const SourceLine& line) {
  if (options.scale) {
    detail::require_number("scaled_dot_product_attention", "scale", *options.scale, line);
    return {1.0, *options.scale};
  }
  if (query.size(-1).is_constant()) return {1.0, 1 / std::sqrt(static_cast<double>(query.size(-1).constant()))};
  return {rsqrt(detail::folded_count(query, {static_cast<int>(query.rank()) - 1}, query.dtype(), line)), 1};
}

// query [...,L,E], key [...,S,E], value [...,S,V]; the axes before broadcast.
Tensor attend_one_head(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options,
                       double scale, const SourceLine& line) {
  const auto leading = [](const Tensor& x) { return Shape(x.shape().begin(), x.shape().end() - 2); };
  const std::string types =
      fmt::format("query is {}, key is {}, value is {}", query.type_string(), key.type_string(), value.type_string());
  Shape batch = detail::broadcast_shapes("scaled_dot_product_attention", {leading(query), leading(key), leading(value)},
                                         types, line);
  const auto with_head = [&](const Tensor& x) {
    Shape shape = batch;
    shape.insert(shape.end(), {x.size(-2), x.size(-1)});
    return unsqueeze(detail::broadcast_to(x, shape, line), -2);
  };
  Shape scores = batch;
  scores.insert(scores.end(), {query.size(-2), key.size(-2)});
  require_mask(options.mask, scores, query.dtype(), line);
  detail::AttendOptions attend{.causal = options.causal, .scale = scale, .dropout = options.dropout};
  if (options.mask.defined()) {
    // A mask may have more axes than the operands.
    scores = detail::broadcast_shapes("scaled_dot_product_attention", {scores, options.mask.shape()}, types, line);
    batch.assign(scores.begin(), scores.end() - 2);
    attend.mask = unsqueeze(detail::broadcast_to(options.mask, scores, line), -3);
  }
  return squeeze(detail::attend(with_head(query), with_head(key), with_head(value), attend, line), -2);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options, SourceLocation where) {
  for (const Tensor& operand : {query, key, value})
    detail::require_defined("scaled_dot_product_attention", operand, where);
  detail::Pin pin(query, where);
  const SourceLine line = query.trace()->line(where);
  require_attention(query, key, value, line);
  const Tensor keys = options.grouped_queries ? repeat_heads(key, query, line) : key;
  const Tensor values = options.grouped_queries ? repeat_heads(value, query, line) : value;
  const Scale scale = scale_of(query, options, line);
  if (detail::can_attend(query.dtype()))
    return attend_one_head(query * scale.outer, keys, values, options, scale.inner, line);
  // Scaling the queries is cheaper than scaling the scores: E is less than S.
  Tensor scores = matmul(query * scale.outer * scale.inner, transpose(keys));
  require_mask(options.mask, scores.shape(), scores.dtype(), line);
  if (options.mask.defined()) scores = detail::masked(scores, options.mask);
  if (options.causal)
    scores = detail::masked(scores, detail::causal_mask(scores, scores.size(-2), scores.size(-1), line));
  const Tensor weights = detail::attention_weights(scores);
  return matmul(options.dropout != 0 ? dropout(weights, options.dropout) : weights, values);
}

}  // namespace pullback
