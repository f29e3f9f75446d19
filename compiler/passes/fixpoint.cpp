#include "compiler/passes/fixpoint.h"

#include "compiler/ir/prune.h"

namespace pullback::passes {

bool rewrite_until_stable(ir::Function& function, const ir::Rule& rule) {
  bool changed = false;
  while (ir::rewrite(function.body, rule)) {
    changed = true;
    ir::remove_unread_ops(function.body);
  }
  return changed;
}

}  // namespace pullback::passes
