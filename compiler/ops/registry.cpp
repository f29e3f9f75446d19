#include "compiler/ops/registry.h"

#include <pullback/error.h>

#include "compiler/ops/ops.h"

namespace pullback::ops {

Registry::Registry(std::vector<const OpDef*> ops) : ops_(std::move(ops)) {
  for (const OpDef* op : ops_)
    if (!by_name_.emplace(op->name, op).second) throw InternalError("registry: two ops are called " + op->name);
}

const OpDef* Registry::find(std::string_view name) const {
  const auto entry = by_name_.find(name);
  return entry == by_name_.end() ? nullptr : entry->second;
}

const Registry& registry() {
  static const Registry all({
      // arithmetic
      &op_add,
      &op_sub,
      &op_mul,
      &op_div,
      &op_rem,
      &op_neg,
      &op_abs,
      &op_sign,
      &op_maximum,
      &op_minimum,
      &op_pow,
      &op_sqrt,
      &op_rsqrt,
      &op_cbrt,
      // functions
      &op_exp,
      &op_expm1,
      &op_log,
      &op_log1p,
      &op_log2,
      &op_sigmoid,
      &op_erf,
      &op_erfc,
      &op_sin,
      &op_cos,
      &op_tan,
      &op_asin,
      &op_acos,
      &op_atan,
      &op_atan2,
      &op_sinh,
      &op_cosh,
      &op_tanh,
      &op_asinh,
      &op_acosh,
      &op_atanh,
      &op_floor,
      &op_ceil,
      &op_trunc,
      &op_round_even,
      // bits, comparison, choice
      &op_and,
      &op_or,
      &op_xor,
      &op_not,
      &op_shift_left,
      &op_shift_right,
      &op_compare,
      &op_select,
      &op_convert,
      &op_stop_gradient,
      // creation
      &op_constant,
      &op_iota,
      &op_rng_bits,
      // shape
      &op_broadcast,
      &op_reshape,
      &op_transpose,
      &op_reverse,
      &op_slice,
      &op_dynamic_slice,
      &op_dynamic_update_slice,
      &op_pad,
      &op_concatenate,
      &op_gather,
      &op_scatter,
      &op_scatter_add,
      &op_scatter_mul,
      &op_scatter_max,
      &op_scatter_min,
      // along an axis
      &op_cumulative_sum,
      &op_cumulative_prod,
      &op_cumulative_max,
      &op_cumulative_min,
      &op_linear_recurrence,
      &op_sort,
      &op_top_k,
      // reductions and contractions
      &op_reduce_sum,
      &op_reduce_prod,
      &op_reduce_max,
      &op_reduce_min,
      &op_argmax,
      &op_argmin,
      &op_dot_general,
      &op_attention,
      &op_attention_gradient,
      &op_convolution,
      &op_winograd_filter,
      &op_winograd_convolution,
      &op_winograd_products,
      &op_winograd_result,
      &op_reduce_window_sum,
      &op_reduce_window_max,
      &op_window_argmax,
      &op_window_scatter,
      // control
      &op_check,
      &op_barrier,
      &op_composite,
      &op_cond,
      &op_scan,
      &op_while,
  });
  return all;
}

}  // namespace pullback::ops
