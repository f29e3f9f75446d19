// Functions on tensors. All throw Error, naming the op, the shapes and the user's line, when shapes or dtypes don't
// fit.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <pullback/tensor.h>

namespace pullback {

// --- Elementwise, of two operands that broadcast by NumPy's rules ---
Tensor add(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor sub(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor mul(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor div(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// The remainder of truncated division; it has the sign of `a`.
Tensor rem(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor pow(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor atan2(const Operand& y, const Operand& x, SourceLocation where = SourceLocation::current());
/// NaN when either is NaN. At ties the gradient is split evenly.
Tensor maximum(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor minimum(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());

// --- Comparisons give bool tensors; no gradient flows through them ---
Tensor equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor not_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor less(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor less_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor greater(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
Tensor greater_equal(const Operand& a, const Operand& b, SourceLocation where = SourceLocation::current());
/// condition ? a : b, elementwise; all three broadcast.
Tensor where(const Tensor& condition, const Operand& a, const Operand& b,
             SourceLocation at = SourceLocation::current());
/// min(max(x, low), high). The gradient is 1 inside [low, high], 0 outside.
Tensor clamp(const Tensor& x, double low, double high, SourceLocation where = SourceLocation::current());

// --- Elementwise, of one tensor ---
Tensor neg(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor abs(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sign(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor square(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor exp(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor expm1(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor log1p(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sqrt(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor rsqrt(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sin(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor cos(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor tan(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor asin(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor acos(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor atan(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sinh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor cosh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor tanh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor asinh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor acosh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor atanh(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor erf(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor floor(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor ceil(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor round_even(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor trunc(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor logical_not(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Converts each element: floats round to nearest even; float to integer truncates and saturates, NaN becomes 0.
Tensor cast(const Tensor& x, DType dtype, SourceLocation where = SourceLocation::current());
/// The same number; its gradient is zero.
Tensor stop_gradient(const Tensor& x, SourceLocation where = SourceLocation::current());

// --- Activations ---
/// max(x, 0); relu'(0) = 0.
Tensor relu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x * (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel 2016).
Tensor gelu(const Tensor& x, SourceLocation where = SourceLocation::current());
Tensor sigmoid(const Tensor& x, SourceLocation where = SourceLocation::current());
/// x * sigmoid(x).
Tensor silu(const Tensor& x, SourceLocation where = SourceLocation::current());
/// log(1 + exp x), without overflow.
Tensor softplus(const Tensor& x, SourceLocation where = SourceLocation::current());
/// Along `axis`; its maximum is subtracted first.
Tensor softmax(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());
Tensor log_softmax(const Tensor& x, int axis = -1, SourceLocation where = SourceLocation::current());

// --- Shapes ---
/// At most one size may be -1: what is left.
Tensor reshape(const Tensor& x, const Shape& shape, SourceLocation where = SourceLocation::current());
/// Joins the axes from `first` on: [B,C,H,W] -> [B,C*H*W].
Tensor flatten(const Tensor& x, int first = 1, SourceLocation where = SourceLocation::current());
/// Swaps two axes.
Tensor transpose(const Tensor& x, int a = -2, int b = -1, SourceLocation where = SourceLocation::current());
/// Result axis i is axis order[i] of x.
Tensor permute(const Tensor& x, const Axes& order, SourceLocation where = SourceLocation::current());
/// Removes axes of size 1; all of them when none are given.
Tensor squeeze(const Tensor& x, const Axes& axes = {}, SourceLocation where = SourceLocation::current());
/// Inserts an axis of size 1 at position `axis` of the result.
Tensor unsqueeze(const Tensor& x, int axis, SourceLocation where = SourceLocation::current());
/// Broadcasts to `shape` by NumPy's rules; -1 keeps a size.
Tensor expand(const Tensor& x, const Shape& shape, SourceLocation where = SourceLocation::current());

/// Part of an axis: start, start+step, ... below limit. Negative start and limit count from the end.
struct Range {
  std::int64_t start = 0;
  std::optional<std::int64_t> limit;  ///< nothing: to the end
  std::int64_t step = 1;              ///< at least 1
};
/// One range for each of the leading axes; {} takes the whole axis.
Tensor slice(const Tensor& x, const std::vector<Range>& ranges, SourceLocation where = SourceLocation::current());
/// `length` elements of `axis` from `start` on.
Tensor narrow(const Tensor& x, int axis, std::int64_t start, std::int64_t length,
              SourceLocation where = SourceLocation::current());
/// Joins along an axis; the other axes agree.
Tensor concat(const std::vector<Tensor>& parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// Joins equal shapes along a new axis.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0, SourceLocation where = SourceLocation::current());
/// Elements added before and after an axis.
struct Padding {
  std::int64_t low = 0, high = 0;
};
/// One padding for each axis; the new elements are `value`.
Tensor pad(const Tensor& x, const std::vector<Padding>& padding, double value = 0,
           SourceLocation where = SourceLocation::current());
/// Reverses the order along axes.
Tensor flip(const Tensor& x, const Axes& axes, SourceLocation where = SourceLocation::current());

// --- Indexing. An index out of range fails the run with an Error before any state is written ---
/// Slices of x along `axis`: indices [I...], x [.., n, ..] -> [.., I..., ..].
Tensor take(const Tensor& x, const Tensor& indices, int axis = 0, SourceLocation where = SourceLocation::current());
/// result[.., i, ..] = x[.., indices[.., i, ..], ..]; indices have x's shape but for `axis`.
Tensor take_along(const Tensor& x, const Tensor& indices, int axis, SourceLocation where = SourceLocation::current());
/// Rows of a table: table [n,D], ids [I...] -> [I...,D].
Tensor embedding(const Tensor& table, const Tensor& ids, SourceLocation where = SourceLocation::current());
/// ids [I...] -> [I...,classes]: 1 at the index, 0 elsewhere; a row of zeros for an index out of range.
Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype = f32,
               SourceLocation where = SourceLocation::current());

// --- Reductions over axes (all axes when none are given) ---
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
            SourceLocation where = SourceLocation::current());
/// The gradient survives zeros.
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
            SourceLocation where = SourceLocation::current());
/// At ties the gradient is split evenly.
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           SourceLocation where = SourceLocation::current());
/// The first index (i64) of the largest element along one axis.
Tensor argmax(const Tensor& x, int axis = -1, bool keepdim = false, SourceLocation where = SourceLocation::current());
Tensor argmin(const Tensor& x, int axis = -1, bool keepdim = false, SourceLocation where = SourceLocation::current());
/// The mean square deviation; `correction` 1 divides by n-1 as PyTorch's default does.
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdim = false, int correction = 0,
           SourceLocation where = SourceLocation::current());
/// log(sum(exp x)), without overflow.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
                 SourceLocation where = SourceLocation::current());

// --- Products ---
/// By PyTorch's rank rules: vectors are completed by an axis that is dropped again; leading axes broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, SourceLocation where = SourceLocation::current());
/// Contracts axis contract_a[i] of a with contract_b[i] of b; the result has the batch axes, then a's, then b's.
Tensor dot_general(const Tensor& a, const Tensor& b, const Axes& contract_a, const Axes& contract_b,
                   const Axes& batch_a = {}, const Axes& batch_b = {},
                   SourceLocation where = SourceLocation::current());

// --- Random numbers: new ones at each step, reproducible from the graph's seed and the step number ---
class Graph;
/// In [low, high), from 24 (f32) or 53 (f64) random bits.
Tensor uniform(Graph& graph, const Shape& shape, DType dtype = f32, double low = 0, double high = 1,
               SourceLocation where = SourceLocation::current());
/// Standard normal, by Box and Muller's transform.
Tensor normal(Graph& graph, const Shape& shape, DType dtype = f32, SourceLocation where = SourceLocation::current());
/// While training: 0 with probability p, else x / (1 - p). Otherwise x.
Tensor dropout(const Tensor& x, double p, SourceLocation where = SourceLocation::current());

// --- Control, custom gradients, checks ---
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

/// Fails the run with an Error when `condition` (bool, any shape) is false anywhere. Each {} in the message is
/// replaced by the next witness (a scalar tensor). No state is written when a check fails.
void check(const Tensor& condition, const std::string& message, const std::vector<Tensor>& witnesses = {},
           SourceLocation where = SourceLocation::current());

}  // namespace pullback
