// Matrix products.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

FunctionTable product_functions() {
  return {
      {"matmul|mm|bmm|mv|dot", "input, other",
       [](const Arguments& a) { return matmul(a.tensor("input"), a.tensor("other")); }},
  };
}

}  // namespace pullback::golden
