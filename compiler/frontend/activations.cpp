// Activations, composed of primitives in their numerically stable forms. A select rather than maximum decides at
// kinks, and its other branch never sees numbers that would make its slope infinite.
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/graph.h>
#include <pullback/operators.h>

#include "compiler/frontend/losses.h"
#include "compiler/frontend/operands.h"
#include "compiler/frontend/reductions.h"

namespace pullback {

namespace {

void require_activation(const char* op, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  detail::require_float(op, x, x.trace()->line(where));
}

void require_option(const char* op, const char* what, double value, const Tensor& x, const SourceLocation& where) {
  detail::require_number(op, what, value, x.trace()->line(where));
}

[[noreturn]] void fail_at(const char* op, const Tensor& x, const std::string& message, const SourceLocation& where) {
  detail::fail(op, message, x.trace()->line(where));
}

// x above 0, slope * x up to 0: at 0 the gradient is the slope.
Tensor leaky(const Tensor& x, const Operand& slope) {
  return where(x > 0.0, x, x * slope);
}

// Strictly between the bounds the slope is 1, elsewhere 0. A NaN stays.
Tensor bounded(const Tensor& x, double low, double high) {
  return where(x <= low, low, where(x >= high, high, x));
}

// scale * (x above 0, alpha * (exp(x / width) - 1) up to 0).
Tensor exponential_linear(const Tensor& x, double alpha, double width, double scale) {
  const Tensor positive = x > 0.0;
  const Tensor below = where(positive, 0.0, x);  // where exp would overflow its gradient would be 0 * inf
  const Tensor curve = expm1(width == 1 ? below : below / width) * (alpha * scale);
  return where(positive, scale == 1 ? x : x * scale, curve);
}

}  // namespace

Tensor relu(const Tensor& x, SourceLocation where) {
  require_activation("relu", x, where);
  detail::Pin pin(x, where);
  return pullback::where(x <= 0.0, 0.0, x);  // NaN stays: NaN <= 0 is false
}

Tensor relu6(const Tensor& x, SourceLocation where) {
  require_activation("relu6", x, where);
  detail::Pin pin(x, where);
  return bounded(x, 0, 6);
}

Tensor leaky_relu(const Tensor& x, double negative_slope, SourceLocation where) {
  require_activation("leaky_relu", x, where);
  require_option("leaky_relu", "negative_slope", negative_slope, x, where);
  detail::Pin pin(x, where);
  return leaky(x, negative_slope);
}

Tensor prelu(const Tensor& x, const Tensor& weight, SourceLocation where) {
  require_activation("prelu", x, where);
  detail::require_defined("prelu", weight, where);
  detail::Pin pin(x, where);
  const bool single = weight.rank() == 0 || weight.shape() == Shape{1};
  const bool per_channel = weight.rank() == 1 && x.rank() >= 2 && weight.size(0) == x.size(1);
  if (weight.dtype() != x.dtype() || (!single && !per_channel))
    fail_at("prelu", x,
            fmt::format("the weight is {}, x is {}: one slope is needed, or one for each channel of axis 1",
                        weight.type_string(), x.type_string()),
            where);
  Shape shape(single ? 0 : x.rank() - 1, Dim(1));
  if (!single) shape.front() = weight.size(0);
  return leaky(x, reshape(weight, shape));
}

Tensor rrelu(const Tensor& x, double lower, double upper, SourceLocation where) {
  require_activation("rrelu", x, where);
  if (!(lower <= upper)) fail_at("rrelu", x, fmt::format("lower is {} and upper is {}", lower, upper), where);
  detail::Pin pin(x, where);
  Graph graph(x.trace());
  const Tensor slopes = uniform(graph, x.shape(), x.dtype(), lower, upper);
  return leaky(x, pullback::where(graph.training(), slopes, (lower + upper) / 2));
}

Tensor hardtanh(const Tensor& x, double low, double high, SourceLocation where) {
  require_activation("hardtanh", x, where);
  if (!(low < high)) fail_at("hardtanh", x, fmt::format("low is {} and high is {}", low, high), where);
  detail::Pin pin(x, where);
  return bounded(x, low, high);
}

Tensor hardsigmoid(const Tensor& x, SourceLocation where) {
  require_activation("hardsigmoid", x, where);
  detail::Pin pin(x, where);
  return bounded(x + 3.0, 0, 6) / 6.0;
}

Tensor hardswish(const Tensor& x, SourceLocation where) {
  require_activation("hardswish", x, where);
  detail::Pin pin(x, where);
  return pullback::where(x < -3.0, 0.0, pullback::where(x > 3.0, x, x * (x + 3.0) / 6.0));
}

Tensor hardshrink(const Tensor& x, double lambda, SourceLocation where) {
  require_activation("hardshrink", x, where);
  require_option("hardshrink", "lambda", lambda, x, where);
  detail::Pin pin(x, where);
  return pullback::where((x >= -lambda) & (x <= lambda), 0.0, x);
}

Tensor softshrink(const Tensor& x, double lambda, SourceLocation where) {
  require_activation("softshrink", x, where);
  if (!(lambda >= 0)) fail_at("softshrink", x, fmt::format("lambda is {}: it must not be negative", lambda), where);
  detail::Pin pin(x, where);
  const Tensor inside = pullback::where((x >= -lambda) & (x <= lambda), 0.0, x + lambda);
  return pullback::where(x > lambda, x - lambda, inside);
}

Tensor threshold(const Tensor& x, double limit, double value, SourceLocation where) {
  require_activation("threshold", x, where);
  require_option("threshold", "limit", limit, x, where);
  require_option("threshold", "value", value, x, where);
  detail::Pin pin(x, where);
  return pullback::where(x <= limit, value, x);
}

Tensor elu(const Tensor& x, double alpha, SourceLocation where) {
  require_activation("elu", x, where);
  require_option("elu", "alpha", alpha, x, where);
  detail::Pin pin(x, where);
  return exponential_linear(x, alpha, 1, 1);
}

Tensor celu(const Tensor& x, double alpha, SourceLocation where) {
  require_activation("celu", x, where);
  require_option("celu", "alpha", alpha, x, where);
  if (alpha == 0) fail_at("celu", x, "alpha is 0: it divides x", where);
  detail::Pin pin(x, where);
  return exponential_linear(x, alpha, alpha, 1);
}

Tensor selu(const Tensor& x, SourceLocation where) {
  require_activation("selu", x, where);
  detail::Pin pin(x, where);
  return exponential_linear(x, 1.6732632423543772848170429916717, 1, 1.0507009873554804934193349852946);
}

Tensor gelu(const Tensor& x, Gelu approximation, SourceLocation where) {
  require_activation("gelu", x, where);
  detail::Pin pin(x, where);
  if (approximation == Gelu::exact) return 0.5 * x * (1.0 + erf(x * (1.0 / std::numbers::sqrt2)));
  const double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return 0.5 * x * (1.0 + tanh(scale * (x + 0.044715 * (x * x * x))));
}

Tensor gelu(const Tensor& x, SourceLocation where) {
  return gelu(x, Gelu::exact, where);
}

Tensor sigmoid(const Tensor& x, SourceLocation where) {
  require_activation("sigmoid", x, where);
  return x.trace()->create("sigmoid", {x}, {}, x.trace()->line(where));
}

Tensor logsigmoid(const Tensor& x, SourceLocation where) {
  require_activation("logsigmoid", x, where);
  detail::Pin pin(x, where);
  return -detail::stable_softplus(-x);
}

Tensor silu(const Tensor& x, SourceLocation where) {
  require_activation("silu", x, where);
  detail::Pin pin(x, where);
  return x * sigmoid(x);
}

Tensor softplus(const Tensor& x, double beta, double threshold, SourceLocation where) {
  require_activation("softplus", x, where);
  require_option("softplus", "beta", beta, x, where);
  require_option("softplus", "threshold", threshold, x, where);
  if (beta == 0) fail_at("softplus", x, "beta is 0: it divides the result", where);
  detail::Pin pin(x, where);
  if (beta == 1) return pullback::where(x > threshold, x, detail::stable_softplus(x));
  const Tensor scaled = x * beta;
  return pullback::where(scaled > threshold, x, detail::stable_softplus(scaled) / beta);
}

Tensor mish(const Tensor& x, SourceLocation where) {
  require_activation("mish", x, where);
  detail::Pin pin(x, where);
  return x * tanh(detail::stable_softplus(x));
}

Tensor softsign(const Tensor& x, SourceLocation where) {
  require_activation("softsign", x, where);
  detail::Pin pin(x, where);
  return x / (1.0 + abs(x));
}

Tensor tanhshrink(const Tensor& x, SourceLocation where) {
  require_activation("tanhshrink", x, where);
  detail::Pin pin(x, where);
  return x - tanh(x);
}

Tensor glu(const Tensor& x, int axis, SourceLocation where) {
  require_activation("glu", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  const auto position = static_cast<std::size_t>(detail::normalize_axis("glu", x, axis, line));
  const std::optional<Dim> half = x.shape()[position].divided_by(Dim(2));
  if (!half) detail::fail("glu", fmt::format("x is {}: axis {} has no halves", x.type_string(), axis), line);
  const auto part = [&](const Dim& start, const Dim& end) {
    return x.trace()->emit("glu", {x}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
      Shape low(x.rank(), Dim(0)), high = x.shape();
      low[position] = start;
      high[position] = end;
      return ops::slice(v[0], low, high);
    });
  };
  return part(Dim(0), *half) * sigmoid(part(*half, x.shape()[position]));
}

// x - max(x) along `axis`: the shift cancels in softmax and its gradient, so that none flows through the maximum.
static Tensor shifted(const Tensor& x, int axis) {
  return x - stop_gradient(detail::largest(x, {axis}, x.trace()->line(SourceLocation::current())));
}

Tensor softmax(const Tensor& x, int axis, SourceLocation where) {
  require_activation("softmax", x, where);
  detail::Pin pin(x, where);
  axis = detail::normalize_axis("softmax", x, axis, x.trace()->line(where));
  const Tensor exponentials = exp(shifted(x, axis));
  return exponentials / sum(exponentials, axis, true);
}

Tensor log_softmax(const Tensor& x, int axis, SourceLocation where) {
  require_activation("log_softmax", x, where);
  detail::Pin pin(x, where);
  axis = detail::normalize_axis("log_softmax", x, axis, x.trace()->line(where));
  const Tensor y = shifted(x, axis);
  return y - log(sum(exp(y), axis, true));
}

Tensor softmin(const Tensor& x, int axis, SourceLocation where) {
  require_activation("softmin", x, where);
  detail::Pin pin(x, where);
  return softmax(-x, axis);
}

}  // namespace pullback
