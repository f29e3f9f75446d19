#include <fmt/format.h>

#include "compiler/ir/builder.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {

std::unique_ptr<ir::Function> specialize(const ir::Function& function, const Bindings& bindings) {
  for (const auto& [symbol, size] : bindings)
    if (size < 0) throw Error(fmt::format("specialize: {} = {}: sizes are not negative", symbol, size));
  auto result = std::make_unique<ir::Function>();
  result->name = function.name;
  result->roles = function.roles;
  result->results = function.results;
  ir::Builder builder(result->body);
  builder.bindings = bindings;
  builder.copy_region(function.body);
  for (const auto& argument : result->body.arguments)
    for (const Dim& size : argument->type.shape)
      if (size.is_constant() && size.constant() < 0)
        throw Error(fmt::format("specialize: {} would be {}: sizes are not negative", argument->name,
                                ir::to_string(argument->type)));
  return result;
}

}  // namespace pullback::passes
