// Arithmetic, comparisons, choice, transcendental functions, conversion.
#include <numbers>

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

TorchFunction conversion(std::string names, DType dtype) {
  return {std::move(names), "input", [dtype](const Arguments& a) { return cast(a.tensor("input"), dtype); }};
}

/// input + alpha * other.
Value scaled_sum(const Arguments& a, double sign) {
  Value other = a.at("other");
  if (const double alpha = sign * a.number("alpha"); alpha != 1)
    other = other.tensor() ? Value(*other.tensor() * alpha) : Value(a.number("other") * alpha);
  return apply_operator("+", a.at("input"), other, a.context);
}

Tensor bounded(const Arguments& a, const Tensor& x) {
  if (!a.given("min")) return a.given("max") ? clamp_max(x, a.operand("max")) : x;
  return a.given("max") ? clamp(x, a.operand("min"), a.operand("max")) : clamp_min(x, a.operand("min"));
}

Value quotient(const Arguments& a) {
  const std::string mode = a.given("rounding_mode") ? a.text("rounding_mode") : "";
  if (mode == "floor") return floor_divide(a.operand("input"), a.operand("other"));
  const Value exact = apply_operator("/", a.at("input"), a.at("other"), a.context);
  if (mode == "trunc") return trunc(*exact.tensor());
  if (!mode.empty()) a.fail("rounding_mode", "is '" + mode + "': it is not known");
  return exact;
}

}  // namespace

FunctionTable elementwise_functions() {
  return {
      unary("neg|negative", neg),
      unary("abs|absolute", abs),
      unary("sign|sgn", sign),
      unary("square", square),
      unary("reciprocal", reciprocal),
      unary("exp", exp),
      unary("exp2", exp2),
      unary("expm1", expm1),
      unary("log", log),
      unary("log2", log2),
      unary("log10", log10),
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
      unary("sinc", sinc),
      unary("erf", erf),
      unary("erfc", erfc),
      unary("floor", floor),
      unary("ceil", ceil),
      unary("trunc|fix", trunc),
      unary("frac", frac),
      unary("isnan", isnan),
      unary("isinf", isinf),
      unary("isfinite", isfinite),
      unary("logical_not|bitwise_not", logical_not),
      {"round", "input, decimals=0",
       [](const Arguments& a) { return round(a.tensor("input"), static_cast<int>(a.integer("decimals"))); }},
      {"logit", "input, eps=None",
       [](const Arguments& a) { return logit(a.tensor("input"), a.optional_number("eps")); }},
      {"deg2rad", "input", [](const Arguments& a) { return a.tensor("input") * (std::numbers::pi / 180); }},
      {"rad2deg", "input", [](const Arguments& a) { return a.tensor("input") * (180 / std::numbers::pi); }},
      {"nan_to_num", "input, nan=0.0, posinf=None, neginf=None",
       [](const Arguments& a) {
         return nan_to_num(a.tensor("input"), a.optional_number("nan").value_or(0), a.optional_number("posinf"),
                           a.optional_number("neginf"));
       }},

      {"add", "input, other, alpha=1", [](const Arguments& a) { return scaled_sum(a, 1); }},
      {"sub|subtract", "input, other, alpha=1", [](const Arguments& a) { return scaled_sum(a, -1); }},
      by_operator("mul|multiply", "*"),
      {"div|divide|true_divide", "input, other, rounding_mode=None", quotient},
      by_operator("eq", "=="),
      by_operator("ne|not_equal", "!="),
      by_operator("lt|less", "<"),
      by_operator("le|less_equal", "<="),
      by_operator("gt|greater", ">"),
      by_operator("ge|greater_equal", ">="),
      by_operator("bitwise_and", "&"),
      by_operator("bitwise_or", "|"),
      by_operator("bitwise_xor", "^"),
      {"logical_and", "input, other",
       [](const Arguments& a) { return logical_and(a.tensor("input"), a.tensor("other")); }},
      {"logical_or", "input, other",
       [](const Arguments& a) { return logical_or(a.tensor("input"), a.tensor("other")); }},
      {"logical_xor", "input, other",
       [](const Arguments& a) { return logical_xor(a.tensor("input"), a.tensor("other")); }},
      binary("fmod", rem),
      binary("remainder", remainder),
      binary("floor_divide", floor_divide),
      binary("atan2|arctan2", atan2),
      binary("maximum", maximum),
      binary("minimum", minimum),
      binary("fmax", fmax),
      binary("fmin", fmin),
      binary("hypot", hypot),
      binary("copysign", copysign),
      binary("logaddexp", logaddexp),
      binary("xlogy", xlogy),
      {"pow|float_power", "input, exponent",
       [](const Arguments& a) { return pow(a.operand("input"), a.operand("exponent")); }},
      {"lerp", "input, end, weight",
       [](const Arguments& a) { return lerp(a.tensor("input"), a.tensor("end"), a.operand("weight")); }},
      {"addcmul", "input, tensor1, tensor2, value=1",
       [](const Arguments& a) {
         return addcmul(a.tensor("input"), a.tensor("tensor1"), a.tensor("tensor2"), a.number("value"));
       }},
      {"addcdiv", "input, tensor1, tensor2, value=1",
       [](const Arguments& a) {
         return addcdiv(a.tensor("input"), a.tensor("tensor1"), a.tensor("tensor2"), a.number("value"));
       }},
      {"where", "condition, input, other",
       [](const Arguments& a) { return where(a.tensor("condition"), a.operand("input"), a.operand("other")); }},
      {"clamp|clip", "input, min=None, max=None", [](const Arguments& a) { return bounded(a, a.tensor("input")); }},
      {"clamp_min", "input, min", [](const Arguments& a) { return clamp_min(a.tensor("input"), a.operand("min")); }},
      {"clamp_max", "input, max", [](const Arguments& a) { return clamp_max(a.tensor("input"), a.operand("max")); }},
      {"to|type", "input, dtype", [](const Arguments& a) { return cast(a.tensor("input"), a.dtype("dtype")); }},
      conversion("half", f16),
      conversion("bfloat16", bf16),
      conversion("float", f32),
      conversion("double", f64),
      conversion("int", i32),
      conversion("long", i64),
      conversion("bool", boolean),
      {"detach", "input", [](const Arguments& a) { return stop_gradient(a.tensor("input")); }},
      {"clone|contiguous|positive", "input", [](const Arguments& a) { return a.tensor("input"); }},
  };
}

}  // namespace pullback::golden
