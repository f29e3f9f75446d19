// Attention.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

void require_no_dropout(const Arguments& a) {
  if (a.number("dropout_p") != 0) a.fail("dropout_p", "is not 0: random numbers can't be compared");
}

Tensor scaled_dot_product(const Arguments& a) {
  require_no_dropout(a);
  return scaled_dot_product_attention(a.tensor("query"), a.tensor("key"), a.tensor("value"),
                                      {.mask = a.optional_tensor("attn_mask"),
                                       .causal = a.flag("is_causal"),
                                       .scale = a.optional_number("scale"),
                                       .grouped_queries = a.flag("enable_gqa")});
}

Value multi_head(const Arguments& a) {
  require_no_dropout(a);
  MultiHeadWeights weights;
  if (a.flag("use_separate_proj_weight")) {
    weights.q_proj = a.tensor("q_proj_weight");
    weights.k_proj = a.tensor("k_proj_weight");
    weights.v_proj = a.tensor("v_proj_weight");
  } else {
    weights.in_proj = a.tensor("in_proj_weight");
  }
  weights.in_proj_bias = a.optional_tensor("in_proj_bias");
  weights.out_proj = a.tensor("out_proj_weight");
  weights.out_proj_bias = a.optional_tensor("out_proj_bias");
  weights.bias_k = a.optional_tensor("bias_k");
  weights.bias_v = a.optional_tensor("bias_v");
  MultiHeadOptions options;
  options.heads = a.integer("num_heads");
  options.mask = a.optional_tensor("attn_mask");
  options.key_padding_mask = a.optional_tensor("key_padding_mask");
  options.add_zero_attention = a.flag("add_zero_attn");
  options.need_weights = a.flag("need_weights");
  options.average_weights = a.flag("average_attn_weights");
  const MultiHeadResult result =
      multi_head_attention(a.tensor("query"), a.tensor("key"), a.tensor("value"), weights, options);
  if (!options.need_weights) return List{result.output, None{}};
  return list_of({result.output, result.weights});
}

}  // namespace

FunctionTable attention_functions() {
  return {
      {"scaled_dot_product_attention",
       "query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False",
       scaled_dot_product},
      {"multi_head_attention_forward",
       "query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn, "
       "dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, "
       "attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, "
       "static_k=None, static_v=None, average_attn_weights=True",
       multi_head},
  };
}

}  // namespace pullback::golden
