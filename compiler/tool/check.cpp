// pullback check: parse and verify.
#include <fmt/format.h>

#include "compiler/ir/graph.h"
#include "compiler/tool/commands.h"

namespace pullback::tool {

namespace {

std::size_t count_ops(const ir::Region& region) {
  std::size_t count = region.ops.size();
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) count += count_ops(*nested);
  return count;
}

}  // namespace

void check(const Source& source) {
  for (const auto& function : read_functions(source))
    fmt::print("stage tensor: @{} is well-formed: {} arguments, {} ops, {} results\n", function->name,
               function->body.arguments.size(), count_ops(function->body), function->results.size());
}

}  // namespace pullback::tool
