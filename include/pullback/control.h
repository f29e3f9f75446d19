// Control flow, blocks with a gradient of their own, derivatives inside of a graph, checks.
// All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't fit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
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

/// What a scan gives, and what its body gives in each iteration: new carries, and values that are stacked.
struct ScanResult {
  std::vector<Tensor> carry;
  std::vector<Tensor> ys;
};
using ScanBody = std::function<ScanResult(const std::vector<Tensor>& carry, const std::vector<Tensor>& slices)>;
struct ScanOptions {
  bool reverse = false;       ///< from the last slice to the first; ys stay in the order of the slices
  std::optional<Dim> length;  ///< needed where there are no xs
};
/// A loop over the leading axis of xs: in iteration i the body takes the carries and xs[i] (without the leading axis).
/// Returns the last carries, and what each iteration gave, stacked along a new leading axis. Carries keep their types;
/// tensors of the graph that the body uses are the same in all iterations. Random numbers differ from iteration to
/// iteration. Gradients save what they need of each iteration. A length of 0 returns `carry` and empty ys.
ScanResult scan(const std::vector<Tensor>& carry, const std::vector<Tensor>& xs, const ScanBody& body,
                const ScanOptions& options = {}, SourceLocation where = SourceLocation::current());

using ForBody = std::function<std::vector<Tensor>(const Tensor& i, const std::vector<Tensor>& carry)>;
/// Runs the body for i = 0, 1, ... trips-1 (an i64 scalar) and returns the last carries. Gradients as in scan.
std::vector<Tensor> fori_loop(const Dim& trips, const std::vector<Tensor>& carry, const ForBody& body,
                              SourceLocation where = SourceLocation::current());

using LoopBody = std::function<std::vector<Tensor>(const std::vector<Tensor>& carry)>;
using LoopCondition = std::function<Tensor(const std::vector<Tensor>& carry)>;
struct WhileOptions {
  /// Most iterations: the run fails with an Error when the condition still holds after so many. Needed for gradients,
  /// which save what they need of each iteration that could run.
  std::optional<Dim> max_trips;
};
/// As long as `condition` gives true (a bool scalar), `body` makes new carries. Returns the last.
std::vector<Tensor> while_loop(const std::vector<Tensor>& carry, const LoopCondition& condition, const LoopBody& body,
                               const WhileOptions& options = {}, SourceLocation where = SourceLocation::current());

using Body = std::function<std::vector<Tensor>(const std::vector<Tensor>& operands)>;
/// A named block: `body` is its meaning, and dumps show it as one op until it is inlined.
std::vector<Tensor> composite(const std::string& name, const std::vector<Tensor>& operands, const Body& body,
                              SourceLocation where = SourceLocation::current());
/// A block with its own gradient: `gradient` receives the operands, then the results, then one cotangent for each
/// result, and returns one cotangent for each operand.
std::vector<Tensor> custom_gradient(const std::string& name, const std::vector<Tensor>& operands, const Body& body,
                                    const Body& gradient, SourceLocation where = SourceLocation::current());

/// checkpoint(body)(operands) is body(operands), whose gradient computes the body's values again instead of keeping
/// them: less memory for more work (Chen et al. 2016). Tensors of the graph that the body uses are kept.
Body checkpoint(Body body, SourceLocation where = SourceLocation::current());

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
