// Reverse mode: one walk from outputs back to inputs that appends the gradient to the graph it differentiates.
//
// Only what lies between the asked-for inputs and the outputs is differentiated. The walk alone accumulates; an op's
// rule (OpDef::vjp) says what its operands' gradients gain. Gradient values are named "d.NAME" after what they are the
// gradient of, and their locations are those of the op they come from, with role "grad".
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/builder.h"

namespace pullback::autodiff {

/// Vector-Jacobian product: appends sum_i cotangents[i] * d(outputs[i])/d(wrt[j]) to the builder's region, in which
/// all given values live. Returns a value for each of wrt: zeros where no output depends on it, and those indices are
/// appended to `independent` when it is given. cotangents[i] has the type of outputs[i].
/// Throws Error when an output or a wrt value is not floating, or when an op on the way has no gradient.
std::vector<ir::Value*> gradients(ir::Builder& builder, std::span<ir::Value* const> outputs,
                                  std::span<ir::Value* const> cotangents, std::span<ir::Value* const> wrt,
                                  std::vector<std::size_t>* independent = nullptr);

/// The same for one scalar loss and the cotangent 1. Throws Error when loss is not a floating scalar.
std::vector<ir::Value*> gradients(ir::Builder& builder, ir::Value* loss, std::span<ir::Value* const> wrt,
                                  std::vector<std::size_t>* independent = nullptr);

/// Hessian of `loss` times `directions` (types of wrt), forward over reverse: a value for each of wrt.
std::vector<ir::Value*> hessian_vector_product(ir::Builder& builder, ir::Value* loss, std::span<ir::Value* const> wrt,
                                               std::span<ir::Value* const> directions);

/// A function's gradient and what it does not depend on.
struct FunctionGradient {
  std::unique_ptr<ir::Function> function;
  std::vector<std::string> independent;  ///< names of wrt arguments that the loss does not depend on: warn
};

/// The gradient of the result called `loss` with respect to the arguments called `wrt`: the function's arguments that
/// are read, and results "d.NAME". Throws Error for unknown names, with those that exist.
FunctionGradient gradient(const ir::Function& function, const std::string& loss, const std::vector<std::string>& wrt);

/// What an independent parameter's warning says.
std::string independence_warning(const std::string& name, const std::string& loss);

}  // namespace pullback::autodiff
