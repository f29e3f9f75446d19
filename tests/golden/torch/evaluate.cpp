#include "tests/golden/torch/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include <fmt/format.h>

namespace pullback::golden {
namespace {

using Kind = Expression::Kind;

/// "torch.linalg.norm" for a chain of attributes that begins with a module's name.
std::optional<std::string> module_path(const Expression& expression, const Variables& variables) {
  if (expression.kind == Kind::name) {
    const bool module =
        expression.text == "torch" || expression.text == "F" || expression.text == "math" || expression.text == "nn";
    return module && !variables.contains(expression.text) ? std::optional(expression.text) : std::nullopt;
  }
  if (expression.kind != Kind::attribute) return std::nullopt;
  const auto outer = module_path(*expression.parts[0], variables);
  return outer ? std::optional(*outer + "." + expression.text) : std::nullopt;
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('.') + 1);
}

std::optional<Value> find(const Variables& known, const std::string& name) {
  const auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

/// What a bare name may stand for, beside a variable.
std::optional<Value> constant_named(const std::string& name) {
  static const Variables known = {{"None", None{}},
                                  {"True", true},
                                  {"False", false},
                                  {"inf", std::numeric_limits<double>::infinity()},
                                  {"nan", std::numeric_limits<double>::quiet_NaN()}};
  return find(known, name);
}

/// torch.NAME and math.NAME.
std::optional<Value> module_constant(const std::string& name) {
  static const Variables known = {
      {"pi", std::numbers::pi}, {"e", std::numbers::e}, {"bool", boolean}, {"uint8", u8},  {"int32", i32},
      {"int64", i64},           {"long", i64},          {"float16", f16},  {"half", f16},  {"bfloat16", bf16},
      {"float32", f32},         {"float", f32},         {"float64", f64},  {"double", f64}};
  const auto constant = find(known, name);
  return constant ? constant : constant_named(name);
}

Value attribute_of(const Value& owner, const std::string& name) {
  if (const Tensor* tensor = owner.tensor()) {
    if (name == "mT") return transpose(*tensor, -2, -1);
    if (name == "dtype") return tensor->dtype();
    if (name == "ndim") return static_cast<std::int64_t>(tensor->rank());
    if (name == "device") return None{};
    if (name == "shape") {
      List sizes;
      for (const Dim& size : tensor->shape()) sizes.emplace_back(size.constant());
      return sizes;
    }
  }
  throw Error(fmt::format("{} has no attribute {} here", owner.describe(), name));
}

/// A list's elements at an index or a slice.
Value element_of(const List& list, const Value& subscript) {
  const auto size = static_cast<std::int64_t>(list.size());
  const auto clamped = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size); };
  if (const auto* at = std::get_if<std::int64_t>(&subscript)) {
    const std::int64_t position = *at < 0 ? *at + size : *at;
    if (position < 0 || position >= size) throw Error(fmt::format("a list of {} has no element {}", size, *at));
    return list[static_cast<std::size_t>(position)];
  }
  const auto* slice = std::get_if<Slice>(&subscript);
  if (!slice || slice->step.value_or(1) < 1) throw Error(fmt::format("a list has no [{}]", subscript.describe()));
  List part;
  for (std::int64_t i = clamped(slice->start.value_or(0)); i < clamped(slice->stop.value_or(size));
       i += slice->step.value_or(1))
    part.push_back(list[static_cast<std::size_t>(i)]);
  return part;
}

Value combine_numbers(const std::string& op, const Value& left, const Value& right) {
  const auto *a = std::get_if<std::int64_t>(&left), *b = std::get_if<std::int64_t>(&right);
  if (a && b) {
    if (op == "+") return *a + *b;
    if (op == "-") return *a - *b;
    if (op == "*") return *a * *b;
    if (op == "//" && *b != 0)
      return static_cast<std::int64_t>(std::floor(static_cast<double>(*a) / static_cast<double>(*b)));
    if (op == "%" && *b != 0) return (*a % *b + *b) % *b;
  }
  const std::optional<double> x = left.number(), y = right.number();
  if (!x || !y) throw Error(fmt::format("{} {} {} is not known", left.describe(), op, right.describe()));
  if (op == "+") return *x + *y;
  if (op == "-") return *x - *y;
  if (op == "*") return *x * *y;
  if (op == "/") return *x / *y;
  if (op == "//") return std::floor(*x / *y);
  if (op == "**") return std::pow(*x, *y);
  throw Error(fmt::format("{} {} {} is not known", left.describe(), op, right.describe()));
}

class Evaluation {
 public:
  Evaluation(const Context* context, const Variables& variables) : context_(context), variables_(variables) {}

  Value value(const Expression& e) const {
    switch (e.kind) {
      case Kind::number:
        return number(e.text);
      case Kind::string:
        return e.text;
      case Kind::ellipsis:
        return Ellipsis{};
      case Kind::name:
        return variable(e.text);
      case Kind::attribute:
        return attribute(e);
      case Kind::call:
        return call(e);
      case Kind::index:
        return indexed(e);
      case Kind::slice:
        return Slice{bound(e.parts[0]), bound(e.parts[1]), bound(e.parts[2])};
      case Kind::list:
      case Kind::tuple:
        return elements(e);
      case Kind::unary:
        return unary(e);
      case Kind::binary:
        return binary(e);
    }
    throw InternalError("golden: an expression of no kind");
  }

 private:
  const Context& context() const {
    if (!context_) throw Error("a constant is needed");
    return *context_;
  }

  static Value number(const std::string& text) {
    if (text.find_first_of(".eE") == std::string::npos) return static_cast<std::int64_t>(std::stoll(text));
    return std::stod(text);
  }

  Value variable(const std::string& name) const {
    if (const auto variable = find(variables_, name)) return *variable;
    if (const auto constant = constant_named(name)) return *constant;
    throw Error(fmt::format("{} is neither an input nor an attribute of the case", name));
  }

  Value attribute(const Expression& e) const {
    if (const auto path = module_path(e, variables_)) {
      if (const auto constant = module_constant(e.text)) return *constant;
      throw Error(fmt::format("{} is not known", *path));
    }
    const Value owner = value(*e.parts[0]);
    if (e.text == "T" && owner.tensor()) return call_function(context(), "t", {owner}, {});
    return attribute_of(owner, e.text);
  }

  Value elements(const Expression& e) const {
    List list;
    append(e.arguments, list, nullptr);
    return list;
  }

  void append(const std::vector<Expression::Argument>& arguments, List& positional,
              std::vector<std::pair<std::string, Value>>* keywords) const {
    for (const Expression::Argument& argument : arguments) {
      Value argument_value = value(*argument.value);
      if (!argument.keyword.empty() && keywords) {
        keywords->emplace_back(argument.keyword, std::move(argument_value));
      } else if (argument.spread) {
        const List* list = argument_value.list();
        if (!list) throw Error(fmt::format("*{}: a list is needed", argument_value.describe()));
        positional.insert(positional.end(), list->begin(), list->end());
      } else {
        positional.push_back(std::move(argument_value));
      }
    }
  }

  Value call(const Expression& e) const {
    const Expression& callee = *e.parts[0];
    List positional;
    std::vector<std::pair<std::string, Value>> keywords;
    std::string name;
    if (const auto path = module_path(callee, variables_)) {
      const std::string qualified = last_part(path->substr(0, path->rfind('.'))) + "." + last_part(*path);
      name = is_function(qualified) ? qualified : last_part(*path);
    } else if (callee.kind == Kind::attribute) {  // a method: its owner is the first argument
      positional.push_back(value(*callee.parts[0]));
      name = callee.text;
    } else if (callee.kind == Kind::name) {
      name = callee.text;
    } else {
      throw Error("only functions and methods can be called");
    }
    append(e.arguments, positional, &keywords);
    return call_function(context(), name, positional, keywords);
  }

  std::optional<std::int64_t> bound(const std::unique_ptr<Expression>& e) const {
    if (!e) return std::nullopt;
    const Value bound = value(*e);
    if (bound.is_none()) return std::nullopt;
    if (const auto* integer = std::get_if<std::int64_t>(&bound)) return *integer;
    throw Error(fmt::format("{} bounds a slice: an integer is needed", bound.describe()));
  }

  Value indexed(const Expression& e) const {
    const Value owner = value(*e.parts[0]);
    List subscripts;
    for (std::size_t i = 1; i < e.parts.size(); ++i) subscripts.push_back(value(*e.parts[i]));
    if (const Tensor* tensor = owner.tensor()) return index(*tensor, subscripts);
    if (const List* list = owner.list(); list && subscripts.size() == 1) return element_of(*list, subscripts[0]);
    throw Error(fmt::format("{} has no elements", owner.describe()));
  }

  Value unary(const Expression& e) const {
    const Value operand = value(*e.parts[0]);
    if (const Tensor* tensor = operand.tensor()) {
      if (e.text == "-") return neg(*tensor);
      if (e.text == "~") return tensor->dtype() == boolean ? logical_not(*tensor) : ~*tensor;
      return *tensor;
    }
    if (e.text == "+") return operand;
    if (e.text == "-") return combine_numbers("*", operand, std::int64_t{-1});
    throw Error(fmt::format("{}{} is not known", e.text, operand.describe()));
  }

  Value binary(const Expression& e) const {
    const Value left = value(*e.parts[0]), right = value(*e.parts[1]);
    if (left.tensor() || right.tensor()) return apply_operator(e.text, left, right, context());
    if (left.list() && right.list() && e.text == "+") {
      List joined = *left.list();
      joined.insert(joined.end(), right.list()->begin(), right.list()->end());
      return joined;
    }
    return combine_numbers(e.text, left, right);
  }

  const Context* context_;
  const Variables& variables_;
};

}  // namespace

Value evaluate(const Expression& expression, const Context& context, const Variables& variables) {
  return Evaluation(&context, variables).value(expression);
}

Value evaluate_constant(const Expression& expression) {
  return Evaluation(nullptr, {}).value(expression);
}

}  // namespace pullback::golden
