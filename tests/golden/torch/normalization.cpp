// Normalization.
#include "tests/golden/torch/functions.h"

namespace pullback::golden {
namespace {

Tensor batch_norm_of(const Arguments& a) {
  const Tensor x = a.tensor("input"), mean = a.optional_tensor("running_mean"), var = a.optional_tensor("running_var");
  const Tensor weight = a.optional_tensor("weight"), bias = a.optional_tensor("bias");
  if (!a.flag("training")) return batch_norm_inference(x, mean, var, weight, bias, a.number("eps"));
  return batch_norm_training(x, mean, var, weight, bias, a.number("momentum"), a.number("eps")).output;
}

Tensor instance_norm_of(const Arguments& a) {
  const Tensor x = a.tensor("input"), weight = a.optional_tensor("weight"), bias = a.optional_tensor("bias");
  if (a.flag("use_input_stats")) return instance_norm(x, weight, bias, a.number("eps"));
  return batch_norm_inference(x, a.tensor("running_mean"), a.tensor("running_var"), weight, bias, a.number("eps"));
}

}  // namespace

FunctionTable normalization_functions() {
  return {
      {"batch_norm", "input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5",
       batch_norm_of},
      {"instance_norm",
       "input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, "
       "eps=1e-5",
       instance_norm_of},
      {"layer_norm", "input, normalized_shape, weight=None, bias=None, eps=1e-5",
       [](const Arguments& a) {
         return layer_norm(a.tensor("input"), a.shape("normalized_shape"), a.optional_tensor("weight"),
                           a.optional_tensor("bias"), a.number("eps"));
       }},
      {"group_norm", "input, num_groups, weight=None, bias=None, eps=1e-5",
       [](const Arguments& a) {
         return group_norm(a.tensor("input"), a.integer("num_groups"), a.optional_tensor("weight"),
                           a.optional_tensor("bias"), a.number("eps"));
       }},
      {"rms_norm", "input, normalized_shape, weight=None, eps=None",
       [](const Arguments& a) {
         return rms_norm(a.tensor("input"), a.shape("normalized_shape"), a.optional_tensor("weight"),
                         a.optional_number("eps"));
       }},
      {"local_response_norm", "input, size, alpha=1e-4, beta=0.75, k=1.0",
       [](const Arguments& a) {
         return local_response_norm(a.tensor("input"), a.integer("size"), a.number("alpha"), a.number("beta"),
                                    a.number("k"));
       }},
  };
}

}  // namespace pullback::golden
