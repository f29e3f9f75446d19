#include "compiler/ir/prune.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {

bool dce(ir::Function& function) {
  return ir::remove_unread_ops(function.body);
}

}  // namespace pullback::passes
