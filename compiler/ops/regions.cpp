#include "compiler/ops/regions.h"

#include <fmt/format.h>

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

}  // namespace pullback::ops
