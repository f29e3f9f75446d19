// Contractions: dot_general and matmul's rank rules upon it.
#include <fmt/format.h>

#include <pullback/functions.h>

#include "compiler/frontend/operands.h"

namespace pullback {

static std::string named_type(const char* fallback, const Tensor& x) {
  return (x.name().empty() ? fallback : x.name()) + " is " + x.type_string();
}

static ir::Integers positions(const char* op, const Tensor& x, const Axes& axes, const SourceLine& line) {
  ir::Integers result;
  for (int axis : axes.values()) result.push_back(detail::normalize_axis(op, x, axis, line));
  return result;
}

Tensor dot_general(const Tensor& a, const Tensor& b, const Axes& contract_a, const Axes& contract_b,
                   const Axes& batch_a, const Axes& batch_b, SourceLocation where) {
  detail::require_defined("dot_general", a, where);
  detail::require_defined("dot_general", b, where);
  const SourceLine line = a.trace()->line(where);
  const ir::AxisPairs contract{positions("dot_general", a, contract_a, line),
                               positions("dot_general", b, contract_b, line)};
  const ir::AxisPairs batch{positions("dot_general", a, batch_a, line), positions("dot_general", b, batch_b, line)};
  return a.trace()->emit("dot_general", {a, b}, line, [&](ir::Builder&, const std::vector<ops::Value>& v) {
    return ops::dot_general(v[0], v[1], contract, batch);
  });
}

static void require_product(const Tensor& a, const Tensor& b, const SourceLine& line) {
  const std::string operands = named_type("a", a) + ", " + named_type("b", b);
  if (a.dtype() != b.dtype())
    detail::fail("matmul", fmt::format("{}: the dtypes differ; cast() one of them", operands), line);
  if (a.rank() == 0 || b.rank() == 0)
    detail::fail("matmul", fmt::format("{}: a scalar has no axis to contract; use *", operands), line);
  const Dim inner_a = a.size(-1), inner_b = b.size(b.rank() == 1 ? -1 : -2);
  if (!(inner_a == inner_b))
    detail::fail(
        "matmul",
        fmt::format("{}: inner dimensions {} and {} differ", operands, inner_a.to_string(), inner_b.to_string()), line);
}

Tensor matmul(const Tensor& a, const Tensor& b, SourceLocation where) {
  detail::require_defined("matmul", a, where);
  detail::require_defined("matmul", b, where);
  detail::Pin pin(a, where);
  const SourceLine line = a.trace()->line(where);
  require_product(a, b, line);
  // With at most two axes in b there is nothing to broadcast: [..., M, K] x [K, N] is one contraction.
  if (b.rank() <= 2) return dot_general(a, b, -1, b.rank() == 1 ? -1 : -2);
  if (a.rank() == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  const Shape lead = detail::broadcast_shapes(
      "matmul", {Shape(a.shape().begin(), a.shape().end() - 2), Shape(b.shape().begin(), b.shape().end() - 2)},
      named_type("a", a) + ", " + named_type("b", b), line);
  const auto completed = [&](const Tensor& x) {
    Shape shape = lead;
    shape.insert(shape.end(), x.shape().end() - 2, x.shape().end());
    return detail::broadcast_to(x, shape, line);
  };
  std::vector<int> batch;
  for (std::size_t i = 0; i < lead.size(); ++i) batch.push_back(static_cast<int>(i));
  return dot_general(completed(a), completed(b), -1, -2, batch, batch);
}

}  // namespace pullback
