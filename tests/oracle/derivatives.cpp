#include "tests/oracle/derivatives.h"

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/jvp.h"
#include "compiler/ir/builder.h"

namespace pullback::contract {

Derivatives::Derivatives(const Case& c) : function(ir::clone(*c.function)) {
  ir::Region& body = function->body;
  std::vector<ir::Value*> inputs, results, cotangents, tangents;
  for (std::size_t i = 0; i < body.arguments.size(); ++i)
    if (is_float(body.arguments[i]->type.dtype)) {
      wrt.push_back(i);
      inputs.push_back(body.arguments[i].get());
    }
  for (std::size_t i = 0; i < body.results.size(); ++i)
    if (is_float(body.results[i]->type.dtype)) {
      outputs.push_back(i);
      results.push_back(body.results[i]);
    }
  if (!usable()) return;
  for (const ir::Value* result : results) cotangents.push_back(function->add_argument(result->type, "cotangent"));
  for (const ir::Value* input : inputs) tangents.push_back(function->add_argument(input->type, "tangent"));
  body.results.clear();
  function->results.clear();
  ir::Builder builder(body);
  for (ir::Value* value : autodiff::jvp(builder, results, inputs, tangents)) function->add_result(value, "jvp");
  for (ir::Value* value : autodiff::gradients(builder, results, cotangents, inputs)) function->add_result(value, "vjp");
}

Directions directions_of(const Case& c, const Derivatives& d, unsigned seed) {
  Directions result;
  for (const std::size_t i : d.outputs)
    result.cotangents.push_back(random_literal(c.function->body.results[i]->type, -1, 1, seed++));
  for (const std::size_t i : d.wrt)
    result.tangents.push_back(random_literal(c.function->body.arguments[i]->type, -1, 1, seed++));
  return result;
}

std::vector<ir::Literal> arguments_of(const Case& c, const Directions& directions) {
  std::vector<ir::Literal> arguments = c.arguments;
  arguments.insert(arguments.end(), directions.cotangents.begin(), directions.cotangents.end());
  arguments.insert(arguments.end(), directions.tangents.begin(), directions.tangents.end());
  return arguments;
}

std::vector<Case> derivatives_of(const std::vector<Case>& cases) {
  std::vector<Case> result;
  for (const Case& c : cases) {
    if (!c.op->vjp) continue;
    Derivatives d(c);
    if (!d.usable()) continue;
    const Directions directions = directions_of(c, d, static_cast<unsigned>(5000 + 16 * result.size()));
    result.push_back(
        {c.op, c.sample, std::move(d.function), arguments_of(c, directions), c.sizes, "the derivatives of " + c.what});
  }
  return result;
}

}  // namespace pullback::contract
