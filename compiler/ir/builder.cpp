// Creating and copying ops: the only places where an op comes into being.
#include "compiler/ir/builder.h"

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

}  // namespace

Op* Builder::create(const ops::OpDef& def, std::vector<Value*> operands, Attributes attributes,
                    std::vector<std::unique_ptr<Region>> regions) {
  auto op = std::make_unique<Op>();
  op->def = &def;
  op->operands = std::move(operands);
  op->attributes = std::move(attributes);
  op->regions = std::move(regions);
  op->location = location;
  if (known)
    if (Op* same = known->find_or_add(*op)) return same;
  for (Type& type : ops::infer_types(*op)) {
    auto value = std::make_unique<Value>();
    value->type = std::move(type);
    value->definer = op.get();
    value->index = op->results.size();
    op->results.push_back(std::move(value));
  }
  region_->ops.push_back(std::move(op));
  return region_->ops.back().get();
}

Op* Builder::copy(const Op& op, ValueMap& map) {
  std::vector<Value*> operands;
  operands.reserve(op.operands.size());
  for (Value* operand : op.operands) {
    const auto entry = map.find(operand);
    operands.push_back(entry == map.end() ? operand : entry->second);
  }
  std::vector<std::unique_ptr<Region>> regions;
  for (const auto& nested : op.regions) {
    regions.push_back(std::make_unique<Region>());
    Builder builder(*regions.back());
    builder.bindings = bindings;
    builder.copy_region(*nested);
  }
  const Location own = location;
  location = op.location;  // also where a shape error that substitution brings to light is reported
  Op* result = create(*op.def, std::move(operands),
                      bindings.empty() ? op.attributes : substitute(op.attributes, bindings), std::move(regions));
  location = own;
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
    const auto entry = map.find(result);
    if (entry == map.end()) throw InternalError("copy: a region's result is not one of its values");
    results.push_back(entry->second);
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
