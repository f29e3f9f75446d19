// Scalar functions of kernel IR: exp, log, ... as straight-line code that is instantiated at any vector width.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/kernel/kernel.h"

namespace pullback::kernel {

/// Parameters are Opcode::argument values; the body holds Define statements alone and neither loads nor index values,
/// so that it can run speculatively.
struct Function {
  std::string name;  ///< with the dtype, unique: "exp.f32"
  std::vector<Value*> parameters;
  Block body;
  Value* result = nullptr;
  ValuePool values;
};

/// Where Builder::call looks functions up; ops/math has the one with Pullback's own functions.
class FunctionLibrary {
 public:
  virtual ~FunctionLibrary() = default;
  /// The function `name` ("exp") over f32 or f64, or null. It lives as long as the library, always at the same address.
  virtual const Function* find(std::string_view name, DType dtype) const = 0;
};

}  // namespace pullback::kernel
