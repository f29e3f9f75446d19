// Losses.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

FunctionTable loss_functions() {
  return {};
}

}  // namespace pullback::golden
