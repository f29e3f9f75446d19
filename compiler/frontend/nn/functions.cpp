// Layers in one line.
#include <pullback/nn.h>

#include "compiler/frontend/operands.h"

namespace pullback::nn {

Tensor linear(const Tensor& x, std::int64_t out, const std::string& name, const LinearOptions& options,
              SourceLocation where) {
  return named(name, Linear(out, options, where))(x, where);
}

Tensor embedding(const Tensor& ids, std::int64_t count, std::int64_t size, const std::string& name,
                 SourceLocation where) {
  return named(name, Embedding(count, size, {}, where))(ids, where);
}

Tensor layer_norm(const Tensor& x, const std::string& name, double epsilon, SourceLocation where) {
  return named(name, LayerNorm({}, {.eps = epsilon}, where))(x, where);
}

}  // namespace pullback::nn
