#include "tests/golden/torch/functions.h"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "tests/golden/torch/evaluate.h"
#include "tests/golden/torch/expression.h"

namespace pullback::golden {

std::string Value::describe() const {
  struct Describe {
    std::string operator()(None) const { return "None"; }
    std::string operator()(bool b) const { return b ? "True" : "False"; }
    std::string operator()(std::int64_t n) const { return fmt::format("{}", n); }
    std::string operator()(double x) const { return fmt::format("{}", x); }
    std::string operator()(const std::string& s) const { return "'" + s + "'"; }
    std::string operator()(const Tensor& t) const { return t.type_string(); }
    std::string operator()(DType d) const { return std::string(name_of(d)); }
    std::string operator()(const Slice&) const { return "a slice"; }
    std::string operator()(Ellipsis) const { return "..."; }
    std::string operator()(const List& list) const { return fmt::format("a list of {}", list.size()); }
  };
  return std::visit(Describe{}, static_cast<const variant&>(*this));
}

std::optional<double> Value::number() const {
  if (const auto* integer = std::get_if<std::int64_t>(this)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(this)) return *real;
  return std::nullopt;
}

void Arguments::fail(const std::string& name, const std::string& problem) const {
  throw Error(fmt::format("{}: {} {}", function_, name, problem));
}

const Value& Arguments::at(const std::string& name) const {
  for (const auto& [known, value] : values_)
    if (known == name) return value;
  fail(name, "is missing");
}

Tensor Arguments::tensor(const std::string& name) const {
  if (const Tensor* tensor = at(name).tensor()) return *tensor;
  fail(name, fmt::format("is {}: a tensor is needed", at(name).describe()));
}

Tensor Arguments::optional_tensor(const std::string& name) const {
  return given(name) ? tensor(name) : Tensor();
}

std::vector<Tensor> Arguments::tensors(const std::string& name) const {
  std::vector<Tensor> result;
  if (const List* list = at(name).list())
    for (const Value& value : *list) {
      if (!value.tensor()) fail(name, fmt::format("holds {}: tensors are needed", value.describe()));
      result.push_back(*value.tensor());
    }
  else
    result.push_back(tensor(name));
  return result;
}

Operand Arguments::operand(const std::string& name) const {
  const Value& value = at(name);
  if (const Tensor* tensor = value.tensor()) return *tensor;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* logical = std::get_if<bool>(&value)) return *logical;
  return number(name);
}

double Arguments::number(const std::string& name) const {
  const std::optional<double> number = at(name).number();
  if (!number) fail(name, fmt::format("is {}: a number is needed", at(name).describe()));
  return *number;
}

std::optional<double> Arguments::optional_number(const std::string& name) const {
  return given(name) ? std::optional(number(name)) : std::nullopt;
}

std::int64_t Arguments::integer(const std::string& name) const {
  const Value& value = at(name);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const List* list = value.list(); list && list->size() == 1)
    if (const auto* integer = std::get_if<std::int64_t>(&list->front())) return *integer;
  fail(name, fmt::format("is {}: an integer is needed", value.describe()));
}

std::optional<std::int64_t> Arguments::optional_integer(const std::string& name) const {
  return given(name) ? std::optional(integer(name)) : std::nullopt;
}

bool Arguments::flag(const std::string& name) const {
  const Value& value = at(name);
  if (const auto* logical = std::get_if<bool>(&value)) return *logical;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer != 0;
  fail(name, fmt::format("is {}: True or False is needed", value.describe()));
}

const std::string& Arguments::text(const std::string& name) const {
  if (const auto* text = std::get_if<std::string>(&at(name))) return *text;
  fail(name, fmt::format("is {}: a string is needed", at(name).describe()));
}

std::vector<std::int64_t> Arguments::integers(const std::string& name) const {
  if (!given(name)) return {};
  const List* list = at(name).list();
  if (!list) return {integer(name)};
  std::vector<std::int64_t> result;
  for (const Value& value : *list) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (!integer) fail(name, fmt::format("holds {}: integers are needed", value.describe()));
    result.push_back(*integer);
  }
  return result;
}

std::vector<std::int64_t> Arguments::integers(const std::string& name, std::size_t count) const {
  std::vector<std::int64_t> result = integers(name);
  if (result.size() == 1) result.resize(count, result.front());
  if (result.size() != count) fail(name, fmt::format("has {} numbers: {} are needed", result.size(), count));
  return result;
}

Shape Arguments::shape(const std::string& name) const {
  const std::vector<std::int64_t> sizes = integers(name);
  return {sizes.begin(), sizes.end()};
}

Axes Arguments::axes(const std::string& name) const {
  const std::vector<std::int64_t> axes = integers(name);
  return std::vector<int>(axes.begin(), axes.end());
}

DType Arguments::dtype(const std::string& name) const {
  if (!given(name)) return context.dtype;
  if (const auto* dtype = std::get_if<DType>(&at(name))) return *dtype;
  fail(name, fmt::format("is {}: a dtype is needed", at(name).describe()));
}

namespace {

struct Parameter {
  std::string name;
  std::optional<Value> standard;
  bool collects = false;  ///< *dims
};

std::vector<Parameter> parameters_of(const std::string& signature) {
  std::vector<Parameter> parameters;
  for (auto& [name, standard] : parse_signature(signature)) {
    const bool collects = name.starts_with("*");
    parameters.push_back({collects ? name.substr(1) : name, {}, collects});
    if (standard) parameters.back().standard = evaluate_constant(*standard);
  }
  return parameters;
}

struct Entry {
  std::vector<Parameter> parameters;
  std::function<Value(const Arguments&)> call;
};

const std::map<std::string, Entry>& entries() {
  static const std::map<std::string, Entry> all = [] {
    std::map<std::string, Entry> result;
    for (const FunctionTable& table :
         {elementwise_functions(), activation_functions(), reduction_functions(), shape_functions(),
          indexing_functions(), creation_functions(), product_functions(), convolution_functions(), pooling_functions(),
          normalization_functions(), attention_functions(), loss_functions(), derivative_functions(),
          spelled_out_functions()})
      for (const TorchFunction& function : table) {
        std::size_t begin = 0;
        while (begin <= function.names.size()) {
          const std::size_t end = std::min(function.names.find('|', begin), function.names.size());
          const std::string name = function.names.substr(begin, end - begin);
          if (!result.emplace(name, Entry{parameters_of(function.signature), function.call}).second)
            throw InternalError(fmt::format("golden: {} is in the tables twice", name));
          begin = end + 1;
        }
      }
    return result;
  }();
  return all;
}

bool knows(const std::vector<Parameter>& parameters, const std::string& name) {
  return std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.name == name; });
}

/// A list that was given as one argument, or as several: x.permute(0, 2, 1) and x.permute([0, 2, 1]).
Value collected(const std::vector<Value>& positional, std::size_t from) {
  if (positional.size() == from + 1 && positional[from].list()) return positional[from];
  return List(positional.begin() + static_cast<std::ptrdiff_t>(std::min(from, positional.size())), positional.end());
}

Arguments bound(const Context& context, const std::string& function, const std::vector<Parameter>& parameters,
                const std::vector<Value>& positional, const std::vector<std::pair<std::string, Value>>& keywords) {
  Arguments arguments(context, function);
  std::size_t next = 0;
  for (const Parameter& parameter : parameters) {
    const auto keyword = std::find_if(keywords.begin(), keywords.end(),
                                      [&](const auto& entry) { return entry.first == parameter.name; });
    if (keyword != keywords.end()) {
      arguments.set(parameter.name, keyword->second);
    } else if (parameter.collects) {
      arguments.set(parameter.name, collected(positional, next));
      next = positional.size();
    } else if (next < positional.size()) {
      arguments.set(parameter.name, positional[next++]);
    } else if (parameter.standard) {
      arguments.set(parameter.name, *parameter.standard);
    } else {
      arguments.fail(parameter.name, "is missing");
    }
  }
  if (next < positional.size()) throw Error(fmt::format("{}: {} arguments are too many", function, positional.size()));
  for (const auto& entry : keywords)
    if (!knows(parameters, entry.first)) arguments.fail(entry.first, "is no argument of it");
  return arguments;
}

}  // namespace

bool is_function(const std::string& name) {
  return entries().contains(name);
}

Arguments bind_arguments(const Context& context, const std::string& function, const std::string& signature,
                         const std::vector<Value>& positional,
                         const std::vector<std::pair<std::string, Value>>& keywords) {
  return bound(context, function, parameters_of(signature), positional, keywords);
}

Value call_function(const Context& context, const std::string& name, const std::vector<Value>& positional,
                    const std::vector<std::pair<std::string, Value>>& keywords) {
  const auto found = entries().find(name);
  if (found == entries().end()) throw Error(fmt::format("{} is not in the tables of functions", name));
  return found->second.call(bound(context, name, found->second.parameters, positional, keywords));
}

Value list_of(const std::vector<Tensor>& tensors) {
  return List(tensors.begin(), tensors.end());
}

}  // namespace pullback::golden
