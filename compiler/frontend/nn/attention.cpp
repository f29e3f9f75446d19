// Attention layers and positions.
#include <pullback/nn/attention.h>

#include <cmath>

#include <fmt/format.h>

#include <pullback/elementwise.h>
#include <pullback/operators.h>
#include <pullback/random.h>
#include <pullback/reductions.h>
#include <pullback/shapes.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

MultiheadAttention::MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads,
                                       const MultiheadAttentionOptions& options, SourceLocation where)
    : Module(Layer{"MultiheadAttention", fmt::format("MultiheadAttention({}, {})", embed_dim, num_heads)}),
      width_(embed_dim),
      heads_(num_heads),
      options_(options) {
  require_at_least("MultiheadAttention", "embed_dim", embed_dim, 1, where);
  require_at_least("MultiheadAttention", "num_heads", num_heads, 1, where);
  require_probability("MultiheadAttention", "dropout", options.dropout, where);
  if (embed_dim % num_heads != 0)
    detail::fail("MultiheadAttention", fmt::format("{} heads do not divide the width {}", num_heads, embed_dim), where);
  const std::int64_t kdim = options.kdim.value_or(embed_dim), vdim = options.vdim.value_or(embed_dim);
  require_at_least("MultiheadAttention", "kdim", kdim, 1, where);
  require_at_least("MultiheadAttention", "vdim", vdim, 1, where);
  const Initializer glorot = Initializer::xavier();
  if (kdim == embed_dim && vdim == embed_dim) {
    register_parameter("in_proj_w", {3 * embed_dim, embed_dim}, glorot);
  } else {
    register_parameter("q_proj_w", {embed_dim, embed_dim}, glorot);
    register_parameter("k_proj_w", {embed_dim, kdim}, glorot);
    register_parameter("v_proj_w", {embed_dim, vdim}, glorot);
  }
  const double bound = 1 / std::sqrt(static_cast<double>(embed_dim));
  if (options.bias) register_parameter("in_proj_b", {3 * embed_dim});
  register_parameter("out_proj_w", {embed_dim, embed_dim}, Initializer::uniform(-bound, bound));
  if (options.bias) register_parameter("out_proj_b", {embed_dim});
  if (!options.add_bias_kv) return;
  // PyTorch's xavier_normal of [1,1,E]: fan_in and fan_out are both E.
  const Initializer normal = Initializer::normal(0, bound);
  register_parameter("bias_k", {1, 1, embed_dim}, normal);
  register_parameter("bias_v", {1, 1, embed_dim}, normal);
}

MultiHeadResult MultiheadAttention::attend(const Tensor& query, const Tensor& key, const Tensor& value,
                                           const AttentionCall& call) const {
  require_size(label(), query, -1, width_, "embed_dim");
  const auto given = [&](const char* name) { return has_parameter(name) ? parameter(name) : Tensor(); };
  const MultiHeadWeights weights{given("in_proj_w"),  given("q_proj_w"),  given("k_proj_w"),
                                 given("v_proj_w"),   given("in_proj_b"), given("out_proj_w"),
                                 given("out_proj_b"), given("bias_k"),    given("bias_v")};
  return multi_head_attention(query, key, value, weights,
                              {.heads = heads_,
                               .mask = call.attn_mask,
                               .key_padding_mask = call.key_padding_mask,
                               .causal = call.is_causal,
                               .add_zero_attention = options_.add_zero_attn,
                               .need_weights = call.need_weights,
                               .average_weights = call.average_attn_weights,
                               .batch_first = options_.batch_first,
                               .dropout = options_.dropout});
}

MultiHeadResult MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                               const AttentionCall& options, SourceLocation where) const {
  const Call call = enter(query, where);
  const MultiHeadResult result = call.run([&] { return attend(query, key, value, options); });
  call.result(result.output);
  return result;
}

Tensor MultiheadAttention::forward(const Tensor& x) const {
  return attend(x, x, x, {}).output;
}

PositionalEncoding::PositionalEncoding(std::int64_t d_model, const PositionalEncodingOptions& options,
                                       SourceLocation where)
    : Module(Layer{"PositionalEncoding", fmt::format("PositionalEncoding({})", d_model)}),
      width_(d_model),
      options_(options) {
  require_at_least("PositionalEncoding", "d_model", d_model, 1, where);
  require_probability("PositionalEncoding", "dropout", options.dropout, where);
}

Tensor PositionalEncoding::forward(const Tensor& x) const {
  detail::require_float(label(), x, line_of(x));
  require_rank(label(), x, 2, 3, options_.batch_first ? "[N,T,E] or [T,E]" : "[T,N,E] or [T,E]");
  require_size(label(), x, -1, width_, "d_model");
  Graph graph(x.trace());
  const int time = options_.batch_first ? static_cast<int>(x.rank()) - 2 : 0;
  Shape shape(x.rank(), Dim(1));
  shape[static_cast<std::size_t>(time)] = x.size(time);
  shape.back() = Dim(width_);
  const Tensor position = cast(graph.iota(shape, time), x.dtype());
  const Tensor feature = graph.iota(shape, -1);
  const Tensor odd = feature % 2;
  // 10000^(-2i/E) for features 2i and 2i + 1.
  const Tensor frequency = exp(cast(feature - odd, x.dtype()) * (-std::log(10000.0) / static_cast<double>(width_)));
  const Tensor angle = position * frequency;
  return dropout(x + where(equal(odd, 0), sin(angle), cos(angle)), options_.dropout);
}

}  // namespace pullback::nn
