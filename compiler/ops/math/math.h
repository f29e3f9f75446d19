// Pullback's own elementary functions as kernel IR: what generated code and constant folding call instead of libm.
#pragma once

#include <string_view>
#include <vector>

#include "compiler/ir/kernel/function.h"

namespace pullback::ops {

/// exp exp2 expm1 log log1p log2 log10 sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc pow
/// cbrt sigmoid, over f32 and f64. Special cases are C99's; errors in ulp are listed in docs/accuracy.md.
const kernel::FunctionLibrary& math_functions();

struct MathFunctionInfo {
  std::string_view name;
  int arity;
};
/// All that are meant to be called, in a fixed order.
const std::vector<MathFunctionInfo>& math_function_list();

}  // namespace pullback::ops
