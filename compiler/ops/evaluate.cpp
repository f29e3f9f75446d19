#include "compiler/ops/evaluate.h"

#include <unordered_map>

#include <fmt/format.h>

#include "compiler/ir/builder.h"
#include "compiler/ops/contexts.h"

namespace pullback::ops {

namespace {

// The sizes of symbols that stand alone as a dimension of an argument. The rest is checked afterwards.
Bindings bind(const ir::Region& body, const std::vector<ir::Literal>& arguments) {
  Bindings bindings;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Shape& shape = body.arguments[i]->type.shape;
    for (std::size_t d = 0; d < shape.size() && d < arguments[i].dims.size(); ++d)
      for (const std::string& symbol : shape[d].symbols())
        if (shape[d] == Dim::symbol(symbol)) bindings.emplace(symbol, arguments[i].dims[d]);
  }
  return bindings;
}

void check_arguments(const ir::Region& body, const std::vector<ir::Literal>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const ir::Value& expected = *body.arguments[i];
    const Shape given(arguments[i].dims.begin(), arguments[i].dims.end());
    if (expected.type != ir::Type{arguments[i].dtype, given})
      throw Error(fmt::format("evaluate: argument {} '{}' is {}, not {}", i, expected.name,
                              ir::to_string(ir::Type{arguments[i].dtype, given}), ir::to_string(expected.type)));
  }
}

}  // namespace

std::vector<ir::Literal> evaluate(const ir::Op& op, const std::vector<const ir::Literal*>& operands) {
  std::vector<ir::Literal> results;
  results.reserve(op.results.size());
  for (const auto& result : op.results) results.emplace_back(result->type.dtype, ir::static_dims(result->type.shape));
  EvalContext context(op, operands, results);
  op.def->eval(context);
  return results;
}

std::vector<ir::Literal> evaluate(const ir::Region& region, const std::vector<ir::Literal>& arguments) {
  if (arguments.size() != region.arguments.size())
    throw Error(fmt::format("evaluate: {} arguments given, {} expected", arguments.size(), region.arguments.size()));
  check_arguments(region, arguments);
  std::unordered_map<const ir::Value*, ir::Literal> values;
  for (std::size_t i = 0; i < arguments.size(); ++i) values[region.arguments[i].get()] = arguments[i];
  for (const auto& op : region.ops) {
    std::vector<const ir::Literal*> operands;
    for (const ir::Value* operand : op->operands) operands.push_back(&values.at(operand));
    std::vector<ir::Literal> results = evaluate(*op, operands);
    for (std::size_t i = 0; i < results.size(); ++i) values[op->result(i)] = std::move(results[i]);
  }
  std::vector<ir::Literal> results;
  for (const ir::Value* result : region.results) results.push_back(values.at(result));
  return results;
}

std::vector<ir::Literal> evaluate(const ir::Function& function, const std::vector<ir::Literal>& arguments) {
  if (arguments.size() != function.body.arguments.size())
    throw Error(fmt::format("evaluate: {} arguments given, '{}' takes {}", arguments.size(), function.name,
                            function.body.arguments.size()));
  ir::Region body;
  ir::Builder builder(body);
  builder.bindings = bind(function.body, arguments);
  builder.copy_region(function.body);
  return evaluate(body, arguments);
}

void evaluate_meaning(EvalContext& c) {
  std::vector<ir::Literal> arguments;
  for (std::size_t i = 0; i < c.operand_count(); ++i) arguments.push_back(c.operand(i));
  c.results() = evaluate(*c.op().def->meaning(c.op()), arguments);
}

}  // namespace pullback::ops
