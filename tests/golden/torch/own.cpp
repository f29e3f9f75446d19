// Functions that the library has whole while an expression spells them out: by the op's name, with the case's inputs
// and attributes as arguments.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

FunctionTable own_functions() {
  return {};
}

}  // namespace pullback::golden
