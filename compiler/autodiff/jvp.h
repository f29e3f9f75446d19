// Forward mode, derived from the gradient rules: the VJP is linear in its cotangent, and transposing it (the VJP of the
// VJP with respect to the cotangent) gives the forward derivative. DCE removes the cotangent that is never needed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/builder.h"

namespace pullback::autodiff {

/// Jacobian-vector product: appends sum_j d(outputs[i])/d(wrt[j]) * tangents[j] to the builder's region, in which all
/// given values live. Returns a value for each output (zeros where it depends on no wrt); outputs that are not floating
/// get null. tangents[j] has the type of wrt[j]. An op's OpDef::jvp replaces the derived rule.
/// Throws Error when a wrt value is not floating, or when an op on the way has no gradient.
std::vector<ir::Value*> jvp(ir::Builder& builder, std::span<ir::Value* const> outputs, std::span<ir::Value* const> wrt,
                            std::span<ir::Value* const> tangents);

/// The forward derivative of the results called `outputs` along directions of the arguments called `wrt`: the arguments
/// that are read, one input "t.NAME" for each wrt, and results "t.OUTPUT". Throws Error for unknown names.
std::unique_ptr<ir::Function> jvp(const ir::Function& function, const std::vector<std::string>& outputs,
                                  const std::vector<std::string>& wrt);

/// Hessian of the result called `loss` times directions: one input "t.NAME" and one result "h.NAME" for each wrt.
std::unique_ptr<ir::Function> hessian_vector_product(const ir::Function& function, const std::string& loss,
                                                     const std::vector<std::string>& wrt);

}  // namespace pullback::autodiff
