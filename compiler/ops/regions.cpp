#include "compiler/ops/regions.h"

#include <fmt/format.h>

#include "compiler/ir/prune.h"

namespace pullback::ops {

void require_region_takes_operands(const InferContext& c, const ir::Region& region, std::size_t first,
                                   const std::string& name) {
  if (region.arguments.size() + first != c.operand_count())
    c.fail(
        fmt::format("{} takes {} arguments for {} operands", name, region.arguments.size(), c.operand_count() - first));
  for (std::size_t i = 0; i < region.arguments.size(); ++i)
    if (region.arguments[i]->type != c.type(first + i))
      c.fail(fmt::format("argument {} of {} is {}", i, name, ir::to_string(region.arguments[i]->type)));
}

std::vector<ir::Type> result_types(const ir::Region& region) {
  std::vector<ir::Type> types;
  for (const ir::Value* result : region.results) types.push_back(result->type);
  return types;
}

std::vector<std::size_t> wanted_gradients(const GradContext& c, std::size_t first) {
  std::vector<std::size_t> wanted;
  for (std::size_t i = first; i < c.op().operands.size(); ++i)
    if (c.needs_grad(i)) wanted.push_back(i - first);
  return wanted;
}

std::vector<Value> floating_cotangents(GradContext& c) {
  std::vector<Value> cotangents;
  for (std::size_t i = 0; i < c.op().results.size(); ++i)
    if (is_float(c.op().result(i)->type.dtype)) cotangents.push_back(c.out_grad(i));
  return cotangents;
}

std::string list_types(const std::vector<ir::Type>& types) {
  std::string text;
  for (const ir::Type& type : types) text += (text.empty() ? "" : ", ") + ir::to_string(type);
  return "(" + text + ")";
}

namespace {

void drop_effects(ir::Region& region) {
  // What has an effect of its own has no results, so that nothing reads it.
  std::erase_if(region.ops, [](const auto& op) { return op->def->traits.effectful; });
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) drop_effects(*nested);
}

}  // namespace

std::unique_ptr<ir::Region> pure_gradient_region(GradContext& c, const ir::Region& body,
                                                 const std::vector<std::size_t>& wanted) {
  std::unique_ptr<ir::Region> region = c.gradient_region(body, wanted);
  drop_effects(*region);
  ir::remove_unread_ops(*region);
  return region;
}

}  // namespace pullback::ops
