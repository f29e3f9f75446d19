// Gradients inside of an expression.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

FunctionTable derivative_functions() {
  return {
      {"autograd.grad", "outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False",
       [](const Arguments& a) {
         if (!a.given("grad_outputs")) return list_of(gradients(a.tensor("outputs"), a.tensors("inputs")));
         return list_of(gradients(a.tensors("outputs"), a.tensors("inputs"), a.tensors("grad_outputs")));
       }},
  };
}

}  // namespace pullback::golden
