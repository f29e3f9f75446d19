// Contractions: dot_general and matmul's rank rules upon it.
#include <algorithm>

#include <fmt/format.h>

#include <pullback/functions.h>
#include <pullback/operators.h>

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

static void require_bias(const char* op, const Tensor& y, const Tensor& bias, const Shape& shape,
                         const SourceLine& line) {
  if (!bias.defined() || (bias.dtype() == y.dtype() && bias.shape() == shape)) return;
  detail::fail(
      op, fmt::format("the bias is {}, but {}{} is needed", bias.type_string(), name_of(y.dtype()), to_string(shape)),
      line);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, SourceLocation where) {
  detail::require_defined("linear", x, where);
  detail::require_defined("linear", weight, where);
  detail::Pin pin(x, where);
  const SourceLine line = x.trace()->line(where);
  const bool vector = weight.rank() == 1;
  if (x.rank() == 0 || weight.rank() == 0 || weight.rank() > 2 || x.dtype() != weight.dtype() ||
      !(x.size(-1) == weight.size(-1)))
    detail::fail("linear",
                 fmt::format("x is {}, the weight is {}: [...,I] and [O,I] of one dtype are needed", x.type_string(),
                             weight.type_string()),
                 line);
  const Tensor y = dot_general(x, weight, -1, -1);
  require_bias("linear", y, bias, vector ? Shape{} : Shape{weight.size(0)}, line);
  return bias.defined() ? y + bias : y;
}

Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias, SourceLocation where) {
  for (const Tensor& operand : {a, b, weight}) detail::require_defined("bilinear", operand, where);
  detail::Pin pin(a, where);
  const SourceLine line = a.trace()->line(where);
  const bool fits = weight.rank() == 3 && a.rank() > 0 && b.rank() == a.rank() &&
                    std::equal(a.shape().begin(), a.shape().end() - 1, b.shape().begin()) &&
                    a.size(-1) == weight.size(1) && b.size(-1) == weight.size(2);
  if (!fits)
    detail::fail("bilinear",
                 fmt::format("a is {}, b is {}, the weight is {}: [...,I], [...,J] and [O,I,J] are needed",
                             a.type_string(), b.type_string(), weight.type_string()),
                 line);
  require_bias("bilinear", a, bias, {weight.size(0)}, line);
  const Tensor left = dot_general(a, weight, -1, 1);  // [...,O,J]
  const Tensor y = sum(left * unsqueeze(b, -2), -1);
  return bias.defined() ? y + bias : y;
}

}  // namespace pullback
