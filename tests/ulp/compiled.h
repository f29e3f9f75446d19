// One elementary function, compiled for this machine as a vector loop over a block of numbers.
#pragma once

#include <cstdint>
#include <string_view>

#include <pullback/dtype.h>

#include "compiler/codegen/api.h"

namespace pullback::ulp {

class CompiledFunction {
 public:
  static constexpr std::int64_t kBlock = 1 << 14;

  /// `arity` is 1 or 2; dtype f32 or f64.
  CompiledFunction(std::string_view name, int arity, DType dtype);
  /// result[i] = f(x[i][, y[i]]) for i < kBlock; y is unused for functions of one number.
  void operator()(const void* x, const void* y, void* result) const;

 private:
  codegen::Compiled code_;
};

}  // namespace pullback::ulp
