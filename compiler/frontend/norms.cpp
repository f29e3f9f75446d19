// Norms and distances. A select keeps the infinite slopes at 0 out of the gradient.
#include <pullback/norms.h>

#include <cmath>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

#include "compiler/frontend/operands.h"

namespace pullback {

// f(x), but 0 with the gradient 0 where x is 0; f sees 1 there.
template <class Function>
static Tensor zero_at_zero(const Tensor& x, const Function& f) {
  const Tensor zero = equal(x, 0.0);
  return where(zero, 0.0, f(where(zero, 1.0, x)));
}

Tensor norm(const Tensor& x, double p, const Axes& axes, bool keepdim, SourceLocation where) {
  detail::require_defined("norm", x, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  detail::require_float("norm", x, line);
  detail::require_number("norm", "p", p, line);
  detail::normalize_axes("norm", x, axes, line);
  if (p == 0) return sum(cast(not_equal(x, 0.0), x.dtype()), axes, keepdim);
  if (p == 1) return sum(abs(x), axes, keepdim);
  if (p == 2) return zero_at_zero(sum(square(x), axes, keepdim), [](const Tensor& t) { return sqrt(t); });
  if (std::isinf(p)) return p > 0 ? max(abs(x), axes, keepdim) : min(abs(x), axes, keepdim);
  if (p < 0) return pow(sum(pow(abs(x), p), axes, keepdim), 1 / p);  // 0 when any element is 0
  const Tensor powers = zero_at_zero(abs(x), [&](const Tensor& t) { return pow(t, p); });
  return zero_at_zero(sum(powers, axes, keepdim), [&](const Tensor& t) { return pow(t, 1 / p); });
}

Tensor normalize(const Tensor& x, double p, const Axes& axes, double eps, SourceLocation where) {
  detail::require_defined("normalize", x, where);
  detail::Pin pin(x, where);
  detail::require_at_least_zero("normalize", "eps", eps, x.trace()->line(where));
  return x / clamp_min(norm(x, p, axes, true), eps);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis, double eps, SourceLocation where) {
  const Operand left(a, where), right(b, where);
  detail::Operands operands("cosine_similarity", {&left, &right}, where);
  detail::Pin pin(a, where);
  detail::require_at_least_zero("cosine_similarity", "eps", eps, operands.line());
  const std::vector<Tensor> pair = operands.unified();
  axis = detail::normalize_axis("cosine_similarity", pair[0], axis, operands.line());
  return sum(normalize(pair[0], 2, axis, eps) * normalize(pair[1], 2, axis, eps), axis);
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keepdim, SourceLocation where) {
  const Operand left(a, where), right(b, where);
  detail::Operands operands("pairwise_distance", {&left, &right}, where);
  detail::Pin pin(a, where);
  detail::require_number("pairwise_distance", "eps", eps, operands.line());
  const std::vector<Tensor> pair = operands.unified();
  return norm(pair[0] - pair[1] + eps, p, -1, keepdim);
}

Tensor cdist(const Tensor& a, const Tensor& b, double p, SourceLocation where) {
  detail::require_defined("cdist", a, where);
  detail::require_defined("cdist", b, where);
  detail::Pin pin(a, where);
  if (a.rank() < 2 || b.rank() < 2 || !(a.size(-1) == b.size(-1)))
    detail::fail("cdist",
                 fmt::format("a is {}, b is {}: rows of equal length are needed, [...,P,D] and [...,R,D]",
                             a.type_string(), b.type_string()),
                 a.trace()->line(where));
  return norm(unsqueeze(a, -2) - unsqueeze(b, -3), p, -1);
}

}  // namespace pullback
