// Creating and copying ops: the only places where an op comes into being.
#include "compiler/ir/builder.h"

#include <algorithm>

#include "compiler/ir/known_ops.h"
#include "compiler/ops/infer_context.h"

namespace pullback::ir {

namespace {

Shape substitute(Shape shape, const Bindings& bindings) {
  for (Dim& d : shape) d = d.substitute(bindings);
  return shape;
}

Attributes substitute(const Attributes& attributes, const Bindings& bindings) {
  Attributes result;
  for (const auto& [name, attribute] : attributes.entries()) {
    const Shape* shape = std::get_if<Shape>(&attribute);
    result.set(name, shape ? Attribute(substitute(*shape, bindings)) : attribute);
  }
  return result;
}

bool has_symbols(const Attributes& attributes) {
  return std::any_of(attributes.entries().begin(), attributes.entries().end(), [](const auto& entry) {
    const Shape* shape = std::get_if<Shape>(&entry.second);
    return shape && std::any_of(shape->begin(), shape->end(), [](const Dim& d) { return !d.is_constant(); });
  });
}

std::unique_ptr<Op> make_op(const ops::OpDef& def, std::vector<Value*> operands, Attributes attributes,
                            std::vector<std::unique_ptr<Region>> regions, const LocationRef& location) {
  auto op = std::make_unique<Op>();
  op->def = &def;
  op->operands = std::move(operands);
  op->attributes = std::move(attributes);
  op->regions = std::move(regions);
  op->location = location;
  return op;
}

void add_result(Op& op, Type type) {
  auto value = std::make_unique<Value>();
  value->type = std::move(type);
  value->definer = &op;
  value->index = op.results.size();
  op.results.push_back(std::move(value));
}

}  // namespace

Op* Builder::append(std::unique_ptr<Op> op, const Op* original) {
  if (known)
    if (Op* same = known->find_or_add(*op)) return same;
  if (original)
    for (const auto& result : original->results) add_result(*op, result->type);
  else
    for (Type& type : ops::infer_types(*op)) add_result(*op, std::move(type));
  region_->ops.push_back(std::move(op));
  return region_->ops.back().get();
}

Op* Builder::create(const ops::OpDef& def, std::vector<Value*> operands, Attributes attributes,
                    std::vector<std::unique_ptr<Region>> regions) {
  return append(make_op(def, std::move(operands), std::move(attributes), std::move(regions), location), nullptr);
}

Op* Builder::copy(const Op& op, ValueMap& map) {
  std::vector<Value*> operands;
  operands.reserve(op.operands.size());
  const bool same_attributes = bindings.empty() || !has_symbols(op.attributes);
  bool same_types = same_attributes && (bindings.empty() || op.regions.empty());
  for (Value* operand : op.operands) {
    Value* mapped = map.find(operand);
    operands.push_back(mapped ? mapped : operand);
    same_types = same_types && operands.back()->type == operand->type;
  }
  std::vector<std::unique_ptr<Region>> regions;
  for (const auto& nested : op.regions) {
    regions.push_back(std::make_unique<Region>());
    Builder builder(*regions.back());
    builder.bindings = bindings;
    builder.copy_region(*nested);
  }
  // A shape error that substitution brings to light is reported at the original's line, too.
  Op* result = append(
      make_op(*op.def, std::move(operands), same_attributes ? op.attributes : substitute(op.attributes, bindings),
              std::move(regions), op.location),
      same_types ? &op : nullptr);
  for (std::size_t i = 0; i < op.results.size(); ++i) {
    result->result(i)->name = op.result(i)->name;
    map[op.result(i)] = result->result(i);
  }
  return result;
}

std::vector<Value*> Builder::copy_body(const Region& from, ValueMap& map) {
  for (const auto& op : from.ops) copy(*op, map);
  std::vector<Value*> results;
  results.reserve(from.results.size());
  for (const Value* result : from.results) {
    Value* mapped = map.find(result);
    if (!mapped) throw InternalError("copy: a region's result is not one of its values");
    results.push_back(mapped);
  }
  return results;
}

ValueMap Builder::copy_region(const Region& from) {
  ValueMap map;
  map.reserve(from.arguments.size() + from.ops.size());
  region_->ops.reserve(region_->ops.size() + from.ops.size());
  for (const auto& argument : from.arguments) {
    Type type{argument->type.dtype, substitute(argument->type.shape, bindings)};
    map[argument.get()] = region_->add_argument(std::move(type), argument->name);
  }
  region_->results = copy_body(from, map);
  return map;
}

std::unique_ptr<Region> clone_region(const Region& from) {
  auto result = std::make_unique<Region>();
  Builder(*result).copy_region(from);
  return result;
}

}  // namespace pullback::ir
