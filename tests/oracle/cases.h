// The samples of the registry as functions of one op with arguments: what the contract tests run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/ops/op_def.h"

namespace pullback::contract {

/// One sample at one set of sizes and one floating type.
struct Case {
  const ops::OpDef* op = nullptr;
  const ops::Sample* sample = nullptr;
  std::unique_ptr<ir::Function> function;  ///< the op alone: its operands are the arguments, its results the results
  std::vector<ir::Literal> arguments;
  Bindings sizes;    ///< of the sample's symbols
  std::string what;  ///< "add f32 {a=3, b=5}: add(f32[3,5], f32[3,5])", for messages
};

/// The sample with its symbols left in, as a function of the op alone; f32 operands have type `floating`.
std::unique_ptr<ir::Function> symbolic_function(const ops::OpDef& op, const ops::Sample& sample, DType floating);

/// All samples of the op, at sizes 0, 1, and such that are no multiple of a vector, for symbols.
std::vector<Case> cases_of(const ops::OpDef& op, DType floating);

/// The same values in another floating type; others as they are.
ir::Literal converted(const ir::Literal& literal, DType to);
/// Numbers in [low, high), or integers and truth values (above 0) of [low, high].
ir::Literal random_literal(const ir::Type& type, double low, double high, unsigned seed);

}  // namespace pullback::contract
