// The op definitions by name, for the registry and for rewrite rules that match `op.def == &ops::op_transpose`.
#pragma once

#include "compiler/ops/op_def.h"

namespace pullback::ops {

// arithmetic.cpp, powers.cpp
extern const OpDef op_add, op_sub, op_mul, op_div, op_rem, op_neg, op_abs, op_sign;
extern const OpDef op_maximum, op_minimum;
extern const OpDef op_pow, op_sqrt, op_rsqrt, op_cbrt;
// exponential.cpp, trigonometric.cpp, hyperbolic.cpp, rounding.cpp
extern const OpDef op_exp, op_expm1, op_log, op_log1p, op_log2, op_sigmoid, op_erf, op_erfc;
extern const OpDef op_sin, op_cos, op_tan, op_asin, op_acos, op_atan, op_atan2;
extern const OpDef op_sinh, op_cosh, op_tanh, op_asinh, op_acosh, op_atanh;
extern const OpDef op_floor, op_ceil, op_trunc, op_round_even;
// bitwise.cpp, compare.cpp
extern const OpDef op_and, op_or, op_xor, op_not, op_shift_left, op_shift_right;
extern const OpDef op_compare, op_select, op_convert, op_stop_gradient;
// creation.cpp, random.cpp
extern const OpDef op_constant, op_iota, op_rng_bits;
// shape.cpp, slicing.cpp, dynamic_slicing.cpp, pad.cpp, concatenate.cpp, gather.cpp, scatter.cpp
extern const OpDef op_broadcast, op_reshape, op_transpose, op_reverse;
extern const OpDef op_slice, op_dynamic_slice, op_dynamic_update_slice, op_pad, op_concatenate;
extern const OpDef op_gather, op_scatter, op_scatter_add, op_scatter_mul, op_scatter_max, op_scatter_min;
// cumulative.cpp, sort.cpp, top_k.cpp
extern const OpDef op_cumulative_sum, op_cumulative_prod, op_cumulative_max, op_cumulative_min, op_linear_recurrence;
extern const OpDef op_sort, op_top_k;
// reduce.cpp, argreduce.cpp, dot.cpp, attention.cpp
extern const OpDef op_reduce_sum, op_reduce_prod, op_reduce_max, op_reduce_min, op_argmax, op_argmin;
extern const OpDef op_dot_general, op_attention, op_attention_gradient;
// convolution.cpp, winograd.cpp, reduce_window.cpp, window_positions.cpp
extern const OpDef op_convolution, op_reduce_window_sum, op_reduce_window_max;
extern const OpDef op_winograd_filter, op_winograd_convolution, op_winograd_products, op_winograd_result;
extern const OpDef op_window_argmax, op_window_scatter;
// check.cpp, barrier.cpp, composite.cpp, cond.cpp, scan.cpp, while.cpp
extern const OpDef op_check, op_barrier, op_composite, op_cond, op_scan, op_while;

}  // namespace pullback::ops
