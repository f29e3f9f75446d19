// The table of functions, and their construction at first use.
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "compiler/ir/kernel/verify.h"
#include "compiler/ops/math/functions.h"
#include "compiler/ops/math/math.h"

namespace pullback::ops {
namespace {

using math::Expr;

/// One function. `f32` may be null: then f64 is computed and rounded.
struct Entry {
  std::string_view name;
  Expr (*f32)(Expr);
  Expr (*f64)(Expr);
  Expr (*f32_of_two)(Expr, Expr) = nullptr;
  Expr (*f64_of_two)(Expr, Expr) = nullptr;
  bool internal = false;  ///< a slow path of other functions

  int arity() const { return f64_of_two ? 2 : 1; }
};

constexpr Entry kEntries[] = {
    {"exp", math::exp, math::exp},
    {"exp2", math::exp2, math::exp2},
    {"expm1", math::expm1_f32, math::expm1_f64},
    {"log", math::log_f32, math::log_f64},
    {"log1p", math::log1p_f32, math::log1p_f64},
    {"log2", nullptr, math::log2_f64},
    {"log10", nullptr, math::log10_f64},
    {"sin", math::sin_f32, math::sin_f64},
    {"cos", math::cos_f32, math::cos_f64},
    {"tan", nullptr, math::tan_f64},
    {"asin", nullptr, math::asin_f64},
    {"acos", nullptr, math::acos_f64},
    {"atan", nullptr, math::atan_f64},
    {"atan2", nullptr, nullptr, nullptr, math::atan2_f64},
    {"sinh", nullptr, math::sinh_f64},
    {"cosh", nullptr, math::cosh_f64},
    {"tanh", math::tanh_f32, math::tanh_f64},
    {"asinh", nullptr, math::asinh_f64},
    {"acosh", nullptr, math::acosh_f64},
    {"atanh", nullptr, math::atanh_f64},
    {"erf", math::erf_f32, math::erf_f64},
    {"erfc", nullptr, math::erfc_f64},
    {"pow", nullptr, nullptr, math::pow_f32, math::pow_f64},
    {"cbrt", nullptr, math::cbrt_f64},
    {"sigmoid", math::sigmoid, math::sigmoid},
    {.name = "sin_full", .f32 = nullptr, .f64 = math::sin_full_f64, .internal = true},
    {.name = "cos_full", .f32 = nullptr, .f64 = math::cos_full_f64, .internal = true},
    {.name = "tan_full", .f32 = nullptr, .f64 = math::tan_full_f64, .internal = true},
};

class Library final : public kernel::FunctionLibrary {
 public:
  const kernel::Function* find(std::string_view name, DType dtype) const override {
    if (dtype != DType::f32 && dtype != DType::f64) return nullptr;
    const std::lock_guard lock(mutex_);  // recursive: functions find their slow paths here
    const std::string full_name = std::string(name) + "." + std::string(name_of(dtype));
    if (const auto known = functions_.find(full_name); known != functions_.end()) return known->second.get();
    for (const Entry& entry : kEntries) {
      if (entry.name != name) continue;
      std::unique_ptr<kernel::Function> function = build(entry, dtype);
      function->name = full_name;
      kernel::verify(*function, "math");
      return functions_.emplace(full_name, std::move(function)).first->second.get();
    }
    return nullptr;
  }

 private:
  std::unique_ptr<kernel::Function> build(const Entry& entry, DType dtype) const {
    auto function = std::make_unique<kernel::Function>();
    kernel::Builder builder(*function, this);
    const bool direct =
        dtype == DType::f64 || (entry.arity() == 1 ? entry.f32 != nullptr : entry.f32_of_two != nullptr);
    const Expr x{&builder, builder.parameter(dtype, "x")};
    const auto widen = [&](Expr e) { return direct ? e : math::convert(e, DType::f64); };
    const bool single = direct && dtype == DType::f32;
    Expr result;
    if (entry.arity() == 1) {
      result = (single ? entry.f32 : entry.f64)(widen(x));
    } else {
      const Expr y{&builder, builder.parameter(dtype, "y")};
      result = (single ? entry.f32_of_two : entry.f64_of_two)(widen(x), widen(y));
    }
    function->result = math::convert(result, dtype).value;
    return function;
  }

  mutable std::recursive_mutex mutex_;
  mutable std::map<std::string, std::unique_ptr<kernel::Function>> functions_;
};

}  // namespace

const kernel::FunctionLibrary& math_functions() {
  static const Library library;
  return library;
}

const std::vector<MathFunctionInfo>& math_function_list() {
  static const std::vector<MathFunctionInfo> list = [] {
    std::vector<MathFunctionInfo> all;
    for (const Entry& entry : kEntries)
      if (!entry.internal) all.push_back({entry.name, entry.arity()});
    return all;
  }();
  return list;
}

}  // namespace pullback::ops
