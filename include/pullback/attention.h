// Attention as functions of given weights. The layer that owns them is in nn.h.
//
// A query that may attend to no key gets 0, and so does its gradient: a row of padding harms nobody. (PyTorch gave NaN
// there before its version 2.5.)
#pragma once

#include <cstdint>
#include <optional>

#include <pullback/tensor.h>

namespace pullback {

struct AttentionOptions {
  Tensor mask = {};                  ///< bool: true may attend; floating: added to the scores. Broadcasts to [...,L,S]
  bool causal = false;               ///< query i attends to keys 0..i only; combines with `mask`
  std::optional<double> scale = {};  ///< of the scores; 1/sqrt(E) by default
  double dropout = 0;                ///< probability that a weight is dropped while training
  bool grouped_queries = false;      ///< axis -3 of the queries is a multiple of the keys': they share keys in turn
};
/// softmax(query key^T * scale + mask) value (Vaswani et al. 2017): query [...,L,E], key [...,S,E], value [...,S,V]
/// -> [...,L,V]; leading axes broadcast. Throws Error, naming shapes and the user's line, when these don't fit.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {},
                                    SourceLocation where = SourceLocation::current());

/// The weights of multi-head attention over E features, in PyTorch's layout: y = x w^T + b.
struct MultiHeadWeights {
  Tensor in_proj;                   ///< [3E,E]: queries, keys, values; or, with keys of K and values of V features:
  Tensor q_proj, k_proj, v_proj;    ///< [E,E], [E,K], [E,V], in_proj undefined
  Tensor in_proj_bias = {};         ///< [3E]
  Tensor out_proj;                  ///< [E,E]
  Tensor out_proj_bias = {};        ///< [E]
  Tensor bias_k = {}, bias_v = {};  ///< [E] (or [1,1,E]): a further key and its value, both or none
};

struct MultiHeadOptions {
  std::int64_t heads = 1;           ///< divides E
  Tensor mask = {};                 ///< bool: true must not attend; floating: added. [L,S], or [N*heads,L,S]
  Tensor key_padding_mask = {};     ///< [N,S]: bool, true is padding; floating: added. [S] without a batch
  bool causal = false;              ///< query i attends to keys 0..i only
  bool add_zero_attention = false;  ///< a further key and value of zeros
  bool need_weights = false;        ///< compute MultiHeadResult::weights
  bool average_weights = true;      ///< over the heads
  bool batch_first = false;         ///< [N,L,E] instead of [L,N,E]
  double dropout = 0;               ///< probability that a weight is dropped while training
};

struct MultiHeadResult {
  Tensor output;   ///< as the query
  Tensor weights;  ///< [N,L,S], or [N,heads,L,S] when not averaged, no N without a batch; undefined unless needed
};
/// Attention of `heads` heads: query [L,N,E], key [S,N,K], value [S,N,V], or [L,E], [S,K], [S,V] without a batch.
/// Masks are PyTorch's, where true means that a key is *not* attended to, the opposite of
/// scaled_dot_product_attention's. Throws Error as that does.
MultiHeadResult multi_head_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const MultiHeadWeights& weights, const MultiHeadOptions& options,
                                     SourceLocation where = SourceLocation::current());

}  // namespace pullback
