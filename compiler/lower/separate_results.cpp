#include "compiler/lower/separate_results.h"

#include <unordered_set>

#include "compiler/ir/builder.h"
#include "compiler/lower/carries.h"
#include "compiler/lower/group.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {

void separate_results(ir::Region& region) {
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) {
      separate_results(*nested);
      std::unordered_set<const ir::Value*> taken;
      ir::Builder builder(*nested);
      for (std::size_t i = 0; i < nested->results.size(); ++i) {
        ir::Value*& result = nested->results[i];
        if (op->def == &ops::op_scan && stacked_carry(*op, i)) continue;
        if (!is_leaf(*result) && taken.insert(result).second) continue;
        builder.location = result->definer ? result->definer->location : op->location;
        const std::string name = result->name;
        result = builder.value(ops::op_reshape, {result}, {{"shape", result->type.shape}});
        result->name = name;
      }
    }
}

}  // namespace pullback::lower
