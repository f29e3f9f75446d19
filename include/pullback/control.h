// Control flow, blocks with a gradient of their own, derivatives inside of a graph, checks.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

using Branch = std::function<std::vector<Tensor>()>;
/// Runs one of two branches; both return the same types. Tensors that a branch uses become its operands.
std::vector<Tensor> cond(const Tensor& predicate, const Branch& then_branch, const Branch& else_branch,
                         SourceLocation where = SourceLocation::current());
/// With branches of one result.
Tensor cond(const Tensor& predicate, const std::function<Tensor()>& then_branch,
            const std::function<Tensor()>& else_branch, SourceLocation where = SourceLocation::current());

using Body = std::function<std::vector<Tensor>(const std::vector<Tensor>& operands)>;
/// A named block: `body` is its meaning, and dumps show it as one op until it is inlined.
std::vector<Tensor> composite(const std::string& name, const std::vector<Tensor>& operands, const Body& body,
                              SourceLocation where = SourceLocation::current());
/// A block with its own gradient: `gradient` receives the operands, then the results, then one cotangent for each
/// result, and returns one cotangent for each operand.
std::vector<Tensor> custom_gradient(const std::string& name, const std::vector<Tensor>& operands, const Body& body,
                                    const Body& gradient, SourceLocation where = SourceLocation::current());

/// d(loss)/d(wrt[i]) as tensors of the graph, which a loss may be made of: gradient penalties, differential equations,
/// second derivatives. `loss` is a floating scalar; where it does not depend on wrt[i] the gradient is zeros.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& wrt,
                              SourceLocation where = SourceLocation::current());
/// Vector-Jacobian products: the sum over i of cotangents[i] * d(outputs[i])/d(wrt[j]), for each j. A cotangent has
/// its output's type.
std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                              const std::vector<Tensor>& cotangents, SourceLocation where = SourceLocation::current());

/// Fails the run with an Error when `condition` (bool, any shape) is false anywhere. Each {} in the message is
/// replaced by the next witness (a scalar tensor). No state is written when a check fails.
void check(const Tensor& condition, const std::string& message, const std::vector<Tensor>& witnesses = {},
           SourceLocation where = SourceLocation::current());

}  // namespace pullback
