// Attention and transformers; see attention.h for the formulas.
#pragma once

#include <functional>
#include <optional>

#include <pullback/attention.h>
#include <pullback/nn/containers.h>
#include <pullback/nn/linear.h>
#include <pullback/nn/normalization.h>

namespace pullback::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;  ///< of attention weights, while training
  bool bias = true;
  bool add_bias_kv = false;               ///< a learned further key and its value
  bool add_zero_attn = false;             ///< a further key and value of zeros
  std::optional<std::int64_t> kdim = {};  ///< features of keys; embed_dim when not given
  std::optional<std::int64_t> vdim = {};  ///< features of values
  bool batch_first = false;               ///< [N,L,E] instead of [L,N,E]
};

/// What an attention is called with besides its tensors. Masks are PyTorch's: where a bool mask is true, a key is not
/// attended to; a floating one is added to the scores.
struct AttentionCall {
  Tensor key_padding_mask = {};  ///< [N,S], or [S] without a batch
  Tensor attn_mask = {};         ///< [L,S], or [N*heads,L,S]
  bool is_causal = false;        ///< query i attends to keys 0..i only
  bool need_weights = false;
  bool average_attn_weights = true;
};

/// Attention of `num_heads` heads over `embed_dim` features, E (Vaswani et al. 2017). Parameters, as PyTorch's:
/// in_proj_w [3E,E], or with other kdim or vdim q_proj_w [E,E], k_proj_w [E,kdim], v_proj_w [E,vdim]; in_proj_b [3E];
/// out_proj_w [E,E], out_proj_b [E]; bias_k, bias_v [1,1,E]. Throws Error unless num_heads divides embed_dim.
///
/// Called with one tensor, as in a Sequential, it attends from x to x.
class MultiheadAttention : public Module {
 public:
  MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads, const MultiheadAttentionOptions& options = {},
                     SourceLocation where = SourceLocation::current());
  using Module::operator();
  /// query [L,N,E], key [S,N,kdim], value [S,N,vdim], or without N. Gives the output, as the query, and the weights
  /// [N,L,S] ([N,heads,L,S] when not averaged) if they are needed.
  MultiHeadResult operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                             const AttentionCall& options = {}, SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  MultiHeadResult attend(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionCall& call) const;

  std::int64_t width_, heads_;
  MultiheadAttentionOptions options_;
};

struct TransformerLayerOptions {
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::function<Tensor(const Tensor&)> activation = {};  ///< between the linear layers; relu when empty
  double layer_norm_eps = 1e-5;
  bool batch_first = false;  ///< [N,L,E] instead of [L,N,E]
  bool norm_first = false;   ///< normalize what goes into a part, not what comes out (Xiong et al. 2020)
  bool bias = true;
};

/// Masks of TransformerEncoderLayer and TransformerEncoder, as in AttentionCall.
struct EncoderMasks {
  Tensor mask = {};                  ///< [L,L], or [N*heads,L,L]
  Tensor src_key_padding_mask = {};  ///< [N,L]
  bool is_causal = false;
};

/// Self-attention, then two linear layers, each with dropout, a residual and a LayerNorm. Parts, as PyTorch's:
/// self_attn, linear1, linear2, norm1, norm2.
class TransformerEncoderLayer : public Module {
 public:
  TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead, const TransformerLayerOptions& options = {},
                          SourceLocation where = SourceLocation::current());
  using Module::operator();
  Tensor operator()(const Tensor& src, const EncoderMasks& masks,
                    SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Tensor encode(const Tensor& x, const EncoderMasks& masks) const;
  Tensor attended(const Tensor& x, const EncoderMasks& masks) const;
  Tensor fed_forward(const Tensor& x) const;

  TransformerLayerOptions options_;
  MultiheadAttention self_attn_;
  Linear linear1_, linear2_;
  LayerNorm norm1_, norm2_;
};

/// `num_layers` TransformerEncoderLayers, "layers.0", ..., and with `norm` a LayerNorm "norm" at the end.
class TransformerEncoder : public Module {
 public:
  TransformerEncoder(std::int64_t num_layers, std::int64_t d_model, std::int64_t nhead,
                     const TransformerLayerOptions& options = {}, bool norm = false,
                     SourceLocation where = SourceLocation::current());
  using Module::operator();
  Tensor operator()(const Tensor& src, const EncoderMasks& masks,
                    SourceLocation where = SourceLocation::current()) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  ModuleList<TransformerEncoderLayer> layers_;
  std::optional<LayerNorm> norm_;
};

/// Masks of TransformerDecoderLayer and TransformerDecoder.
struct DecoderMasks {
  Tensor tgt_mask = {}, memory_mask = {};                          ///< [T,T], [T,S]
  Tensor tgt_key_padding_mask = {}, memory_key_padding_mask = {};  ///< [N,T], [N,S]
  bool tgt_is_causal = false, memory_is_causal = false;
};

/// Self-attention, attention to `memory`, then two linear layers. Parts, as PyTorch's: self_attn, multihead_attn,
/// linear1, linear2, norm1, norm2, norm3.
class TransformerDecoderLayer : public Module {
 public:
  TransformerDecoderLayer(std::int64_t d_model, std::int64_t nhead, const TransformerLayerOptions& options = {},
                          SourceLocation where = SourceLocation::current());
  /// tgt [T,N,E], memory [S,N,E] -> [T,N,E].
  Tensor operator()(const Tensor& tgt, const Tensor& memory, const DecoderMasks& masks = {},
                    SourceLocation where = SourceLocation::current()) const;

 private:
  Tensor dropped(const Tensor& x) const;
  Tensor attended(const Tensor& x, const DecoderMasks& masks) const;
  Tensor attended_to(const Tensor& x, const Tensor& memory, const DecoderMasks& masks) const;
  Tensor fed_forward(const Tensor& x) const;

  TransformerLayerOptions options_;
  MultiheadAttention self_attn_, multihead_attn_;
  Linear linear1_, linear2_;
  LayerNorm norm1_, norm2_, norm3_;
};

/// `num_layers` TransformerDecoderLayers, and with `norm` a LayerNorm "norm" at the end.
class TransformerDecoder : public Module {
 public:
  TransformerDecoder(std::int64_t num_layers, std::int64_t d_model, std::int64_t nhead,
                     const TransformerLayerOptions& options = {}, bool norm = false,
                     SourceLocation where = SourceLocation::current());
  Tensor operator()(const Tensor& tgt, const Tensor& memory, const DecoderMasks& masks = {},
                    SourceLocation where = SourceLocation::current()) const;

 private:
  ModuleList<TransformerDecoderLayer> layers_;
  std::optional<LayerNorm> norm_;
};

struct PositionalEncodingOptions {
  double dropout = 0;
  bool batch_first = false;  ///< [N,T,E] instead of [T,N,E]
};

/// x plus a sine and a cosine of each position: feature 2i of position t is sin(t / 10000^(2i/E)), 2i + 1 the cosine
/// (Vaswani et al. 2017). Any length; without parameters.
class PositionalEncoding : public Module {
 public:
  explicit PositionalEncoding(std::int64_t d_model, const PositionalEncodingOptions& options = {},
                              SourceLocation where = SourceLocation::current());

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  std::int64_t width_;
  PositionalEncodingOptions options_;
};

}  // namespace pullback::nn
