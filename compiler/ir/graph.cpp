// The tensor IR's containers: types, regions, functions.
#include "compiler/ir/graph.h"

#include "compiler/ir/builder.h"

namespace pullback::ir {

std::string to_string(const Type& type) {
  return std::string(name_of(type.dtype)) + pullback::to_string(type.shape);
}

std::vector<std::int64_t> static_dims(const Shape& shape) {
  std::vector<std::int64_t> dims;
  dims.reserve(shape.size());
  for (const Dim& d : shape) {
    if (!d.is_constant()) throw InternalError("shape " + pullback::to_string(shape) + " is not specialized");
    dims.push_back(d.constant());
  }
  return dims;
}

Dim element_count(const Shape& shape) {
  Dim count = 1;
  for (const Dim& d : shape) count = count * d;
  return count;
}

Op::~Op() = default;

Value* Region::add_argument(Type type, std::string name) {
  auto value = std::make_unique<Value>();
  value->type = std::move(type);
  value->name = std::move(name);
  value->region = this;
  value->index = arguments.size();
  arguments.push_back(std::move(value));
  return arguments.back().get();
}

Value* Function::add_argument(Type type, std::string value_name, ArgumentRole role) {
  roles.push_back(role);
  return body.add_argument(std::move(type), std::move(value_name));
}

void Function::add_result(Value* value, std::string result_name, std::ptrdiff_t updates) {
  body.results.push_back(value);
  results.push_back({std::move(result_name), updates});
}

const Location& LocationRef::unknown() {
  static const Location location;
  return location;
}

std::unique_ptr<Function> clone(const Function& function) {
  auto copy = std::make_unique<Function>();
  copy->name = function.name;
  copy->roles = function.roles;
  copy->results = function.results;
  Builder builder(copy->body);
  builder.copy_region(function.body);
  return copy;
}

std::set<std::string> symbols_of(const Function& function) {
  std::set<std::string> symbols;
  for (const auto& argument : function.body.arguments)
    for (const Dim& d : argument->type.shape) symbols.merge(d.symbols());
  return symbols;
}

}  // namespace pullback::ir
