// Transformers.
#include <fmt/format.h>

#include <pullback/activations.h>
#include <pullback/nn/attention.h>
#include <pullback/operators.h>
#include <pullback/random.h>

#include "compiler/frontend/nn/layer.h"

namespace pullback::nn {

namespace {

std::string described(const char* type, std::int64_t d_model, std::int64_t nhead) {
  return fmt::format("{}({}, {})", type, d_model, nhead);
}

MultiheadAttention attention(std::int64_t d_model, std::int64_t nhead, const TransformerLayerOptions& options,
                             const SourceLocation& where) {
  return {
      d_model, nhead, {.dropout = options.dropout, .bias = options.bias, .batch_first = options.batch_first}, where};
}

LayerNorm norm_of(std::int64_t d_model, const TransformerLayerOptions& options) {
  return LayerNorm(d_model, {.eps = options.layer_norm_eps, .bias = options.bias});
}

Tensor activated(const Tensor& x, const TransformerLayerOptions& options) {
  return options.activation ? options.activation(x) : relu(x);
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead,
                                                 const TransformerLayerOptions& options, SourceLocation where)
    : Module(Layer{"TransformerEncoderLayer", described("TransformerEncoderLayer", d_model, nhead)}),
      options_(options),
      self_attn_(attention(d_model, nhead, options, where)),
      linear1_(d_model, options.dim_feedforward, {.bias = options.bias}, where),
      linear2_(options.dim_feedforward, d_model, {.bias = options.bias}, where),
      norm1_(norm_of(d_model, options)),
      norm2_(norm_of(d_model, options)) {
  attach("self_attn", self_attn_);
  attach("linear1", linear1_);
  attach("linear2", linear2_);
  attach("norm1", norm1_);
  attach("norm2", norm2_);
}

Tensor TransformerEncoderLayer::attended(const Tensor& x, const EncoderMasks& masks) const {
  const AttentionCall call{
      .key_padding_mask = masks.src_key_padding_mask, .attn_mask = masks.mask, .is_causal = masks.is_causal};
  return dropout(self_attn_(x, x, x, call).output, options_.dropout);
}

Tensor TransformerEncoderLayer::fed_forward(const Tensor& x) const {
  return dropout(linear2_(dropout(activated(linear1_(x), options_), options_.dropout)), options_.dropout);
}

Tensor TransformerEncoderLayer::encode(const Tensor& x, const EncoderMasks& masks) const {
  if (options_.norm_first) {
    const Tensor h = x + attended(norm1_(x), masks);
    return h + fed_forward(norm2_(h));
  }
  const Tensor h = norm1_(x + attended(x, masks));
  return norm2_(h + fed_forward(h));
}

Tensor TransformerEncoderLayer::forward(const Tensor& x) const {
  return encode(x, {});
}

Tensor TransformerEncoderLayer::operator()(const Tensor& src, const EncoderMasks& masks, SourceLocation where) const {
  const Call call = enter(src, where);
  return call.result(call.run([&] { return encode(src, masks); }));
}

TransformerEncoder::TransformerEncoder(std::int64_t num_layers, std::int64_t d_model, std::int64_t nhead,
                                       const TransformerLayerOptions& options, bool norm, SourceLocation where)
    : Module(Layer{"TransformerEncoder", fmt::format("TransformerEncoder({}, {}, {})", num_layers, d_model, nhead)}) {
  require_at_least("TransformerEncoder", "num_layers", num_layers, 1, where);
  for (std::int64_t i = 0; i < num_layers; ++i) layers_.push_back({d_model, nhead, options, where});
  attach("layers", layers_);
  if (norm)
    attach("norm", norm_.emplace(d_model, LayerNormOptions{.eps = options.layer_norm_eps, .bias = options.bias}));
}

Tensor TransformerEncoder::operator()(const Tensor& src, const EncoderMasks& masks, SourceLocation where) const {
  const Call call = enter(src, where);
  Tensor y = src;
  for (const TransformerEncoderLayer& layer : layers_) y = layer(y, masks, where);
  return call.result(norm_ ? (*norm_)(y, where) : y);
}

Tensor TransformerEncoder::forward(const Tensor& x) const {
  Tensor y = x;
  for (const TransformerEncoderLayer& layer : layers_) y = layer(y);
  return norm_ ? (*norm_)(y) : y;
}

TransformerDecoderLayer::TransformerDecoderLayer(std::int64_t d_model, std::int64_t nhead,
                                                 const TransformerLayerOptions& options, SourceLocation where)
    : Module(Layer{"TransformerDecoderLayer", described("TransformerDecoderLayer", d_model, nhead)}),
      options_(options),
      self_attn_(attention(d_model, nhead, options, where)),
      multihead_attn_(attention(d_model, nhead, options, where)),
      linear1_(d_model, options.dim_feedforward, {.bias = options.bias}, where),
      linear2_(options.dim_feedforward, d_model, {.bias = options.bias}, where),
      norm1_(norm_of(d_model, options)),
      norm2_(norm_of(d_model, options)),
      norm3_(norm_of(d_model, options)) {
  attach("self_attn", self_attn_);
  attach("multihead_attn", multihead_attn_);
  attach("linear1", linear1_);
  attach("linear2", linear2_);
  attach("norm1", norm1_);
  attach("norm2", norm2_);
  attach("norm3", norm3_);
}

Tensor TransformerDecoderLayer::dropped(const Tensor& x) const {
  return dropout(x, options_.dropout);
}

Tensor TransformerDecoderLayer::attended(const Tensor& x, const DecoderMasks& masks) const {
  const AttentionCall call{
      .key_padding_mask = masks.tgt_key_padding_mask, .attn_mask = masks.tgt_mask, .is_causal = masks.tgt_is_causal};
  return dropped(self_attn_(x, x, x, call).output);
}

Tensor TransformerDecoderLayer::attended_to(const Tensor& x, const Tensor& memory, const DecoderMasks& masks) const {
  const AttentionCall call{.key_padding_mask = masks.memory_key_padding_mask,
                           .attn_mask = masks.memory_mask,
                           .is_causal = masks.memory_is_causal};
  return dropped(multihead_attn_(x, memory, memory, call).output);
}

Tensor TransformerDecoderLayer::fed_forward(const Tensor& x) const {
  return dropped(linear2_(dropped(activated(linear1_(x), options_))));
}

Tensor TransformerDecoderLayer::operator()(const Tensor& tgt, const Tensor& memory, const DecoderMasks& masks,
                                           SourceLocation where) const {
  const Call call = enter(tgt, where);
  return call.result(call.run([&] {
    if (options_.norm_first) {
      Tensor h = tgt + attended(norm1_(tgt), masks);
      h = h + attended_to(norm2_(h), memory, masks);
      return h + fed_forward(norm3_(h));
    }
    Tensor h = norm1_(tgt + attended(tgt, masks));
    h = norm2_(h + attended_to(h, memory, masks));
    return norm3_(h + fed_forward(h));
  }));
}

TransformerDecoder::TransformerDecoder(std::int64_t num_layers, std::int64_t d_model, std::int64_t nhead,
                                       const TransformerLayerOptions& options, bool norm, SourceLocation where)
    : Module(Layer{"TransformerDecoder", fmt::format("TransformerDecoder({}, {}, {})", num_layers, d_model, nhead)}) {
  require_at_least("TransformerDecoder", "num_layers", num_layers, 1, where);
  for (std::int64_t i = 0; i < num_layers; ++i) layers_.push_back({d_model, nhead, options, where});
  attach("layers", layers_);
  if (norm)
    attach("norm", norm_.emplace(d_model, LayerNormOptions{.eps = options.layer_norm_eps, .bias = options.bias}));
}

Tensor TransformerDecoder::operator()(const Tensor& tgt, const Tensor& memory, const DecoderMasks& masks,
                                      SourceLocation where) const {
  const Call call = enter(tgt, where);
  Tensor y = tgt;
  for (const TransformerDecoderLayer& layer : layers_) y = layer(y, memory, masks, where);
  return call.result(norm_ ? (*norm_)(y, where) : y);
}

}  // namespace pullback::nn
