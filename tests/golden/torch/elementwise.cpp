// Arithmetic, comparisons, choice, transcendental functions, conversion.
#include <cmath>
#include <limits>

#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

using Unary = Tensor (*)(const Tensor&, SourceLocation);
using Binary = Tensor (*)(const Operand&, const Operand&, SourceLocation);

TorchFunction unary(std::string names, Unary function) {
  return {std::move(names), "input",
          [function](const Arguments& a) { return function(a.tensor("input"), SourceLocation::current()); }};
}

TorchFunction binary(std::string names, Binary function) {
  return {std::move(names), "input, other", [function](const Arguments& a) {
            return function(a.operand("input"), a.operand("other"), SourceLocation::current());
          }};
}

TorchFunction by_operator(std::string names, std::string op) {
  return {std::move(names), "input, other",
          [op](const Arguments& a) { return apply_operator(op, a.at("input"), a.at("other"), a.context); }};
}

/// input + alpha * other.
Value scaled_sum(const Arguments& a, double sign) {
  Value other = a.at("other");
  if (const double alpha = sign * a.number("alpha"); alpha != 1)
    other = other.tensor() ? Value(*other.tensor() * alpha) : Value(a.number("other") * alpha);
  return apply_operator("+", a.at("input"), other, a.context);
}

}  // namespace

FunctionTable elementwise_functions() {
  const double inf = std::numeric_limits<double>::infinity();
  return {
      unary("neg|negative", neg),
      unary("abs|absolute", abs),
      unary("sign|sgn", sign),
      unary("square", square),
      unary("exp", exp),
      unary("expm1", expm1),
      unary("log", log),
      unary("log1p", log1p),
      unary("sqrt", sqrt),
      unary("rsqrt", rsqrt),
      unary("sin", sin),
      unary("cos", cos),
      unary("tan", tan),
      unary("asin|arcsin", asin),
      unary("acos|arccos", acos),
      unary("atan|arctan", atan),
      unary("sinh", sinh),
      unary("cosh", cosh),
      unary("asinh|arcsinh", asinh),
      unary("acosh|arccosh", acosh),
      unary("atanh|arctanh", atanh),
      unary("erf", erf),
      unary("floor", floor),
      unary("ceil", ceil),
      unary("round", round_even),
      unary("trunc|fix", trunc),
      unary("logical_not", logical_not),
      {"add", "input, other, alpha=1", [](const Arguments& a) { return scaled_sum(a, 1); }},
      {"sub|subtract", "input, other, alpha=1", [](const Arguments& a) { return scaled_sum(a, -1); }},
      by_operator("mul|multiply", "*"),
      by_operator("div|divide|true_divide", "/"),
      by_operator("eq", "=="),
      by_operator("ne|not_equal", "!="),
      by_operator("lt|less", "<"),
      by_operator("le|less_equal", "<="),
      by_operator("gt|greater", ">"),
      by_operator("ge|greater_equal", ">="),
      by_operator("bitwise_and|logical_and", "&"),
      by_operator("bitwise_or|logical_or", "|"),
      by_operator("bitwise_xor|logical_xor", "^"),
      binary("fmod", rem),
      binary("atan2|arctan2", atan2),
      binary("maximum", maximum),
      binary("minimum", minimum),
      {"pow", "input, exponent", [](const Arguments& a) { return pow(a.operand("input"), a.operand("exponent")); }},
      {"where", "condition, input, other",
       [](const Arguments& a) { return where(a.tensor("condition"), a.operand("input"), a.operand("other")); }},
      {"clamp|clip", "input, min=None, max=None",
       [inf](const Arguments& a) -> Value {
         const bool tensors = a.at("min").tensor() || a.at("max").tensor();
         if (!tensors)
           return clamp(a.tensor("input"), a.optional_number("min").value_or(-inf),
                        a.optional_number("max").value_or(inf));
         Tensor x = a.tensor("input");
         if (a.given("min")) x = maximum(x, a.operand("min"));
         if (a.given("max")) x = minimum(x, a.operand("max"));
         return x;
       }},
      {"clamp_min", "input, min", [inf](const Arguments& a) { return clamp(a.tensor("input"), a.number("min"), inf); }},
      {"clamp_max", "input, max",
       [inf](const Arguments& a) { return clamp(a.tensor("input"), -inf, a.number("max")); }},
      {"masked_fill", "input, mask, value",
       [](const Arguments& a) { return where(a.tensor("mask"), a.operand("value"), a.tensor("input")); }},
      {"to|type", "input, dtype", [](const Arguments& a) { return cast(a.tensor("input"), a.dtype("dtype")); }},
      {"detach", "input", [](const Arguments& a) { return stop_gradient(a.tensor("input")); }},
      {"clone|contiguous", "input", [](const Arguments& a) { return a.tensor("input"); }},
  };
}

}  // namespace pullback::golden
