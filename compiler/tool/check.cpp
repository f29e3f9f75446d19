// pullback check: parse and verify.
#include <fmt/format.h>

#include "compiler/ir/prune.h"
#include "compiler/tool/commands.h"

namespace pullback::tool {

void check(const Source& source) {
  for (const auto& function : read_functions(source))
    fmt::print("stage tensor: @{} is well-formed: {} arguments, {} ops, {} results\n", function->name,
               function->body.arguments.size(), ir::count_ops(function->body), function->results.size());
}

}  // namespace pullback::tool
