// Activations, composed of primitives in their numerically stable forms.
#include <numbers>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

static void require_activation(const char* op, const Tensor& x, const SourceLocation& where) {
  detail::require_defined(op, x, where);
  detail::require_float(op, x, x.trace()->line(where));
}

Tensor relu(const Tensor& x, SourceLocation where) {
  require_activation("relu", x, where);
  detail::Pin pin(x, where);
  // A select rather than maximum: the gradient at 0 is 0, and NaN stays NaN (NaN <= 0 is false).
  return pullback::where(x <= 0.0, 0.0, x);
}

Tensor gelu(const Tensor& x, SourceLocation where) {
  require_activation("gelu", x, where);
  detail::Pin pin(x, where);
  return 0.5 * x * (1.0 + erf(x * (1.0 / std::numbers::sqrt2)));
}

Tensor sigmoid(const Tensor& x, SourceLocation where) {
  require_activation("sigmoid", x, where);
  return x.trace()->create("sigmoid", {x}, {}, x.trace()->line(where));
}

Tensor silu(const Tensor& x, SourceLocation where) {
  require_activation("silu", x, where);
  detail::Pin pin(x, where);
  return x * sigmoid(x);
}

Tensor softplus(const Tensor& x, SourceLocation where) {
  require_activation("softplus", x, where);
  detail::Pin pin(x, where);
  return relu(x) + log1p(exp(-abs(x)));
}

// x - max(x) along `axis`: the shift cancels in softmax and its gradient, so that none flows through the maximum.
static Tensor shifted(const Tensor& x, int axis) {
  return x - stop_gradient(max(x, axis, true));
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

}  // namespace pullback
