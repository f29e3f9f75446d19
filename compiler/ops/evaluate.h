// The reference evaluator: the meaning of the tensor IR, slow and plain. Every op computes its results from whole
// operands by OpDef::eval; floats are computed in double and rounded to the element type once per op.
#pragma once

#include <vector>

#include "compiler/ir/graph.h"

namespace pullback::ops {

class EvalContext;

/// The function's results for these arguments, state arguments included; symbolic shapes take their numbers from the
/// arguments. Throws Error when the count or a type does not match, and where a check op fails.
std::vector<ir::Literal> evaluate(const ir::Function& function, const std::vector<ir::Literal>& arguments);

/// The same for a region whose shapes are numbers.
std::vector<ir::Literal> evaluate(const ir::Region& region, const std::vector<ir::Literal>& arguments);

/// One op. Its types must be numbers.
std::vector<ir::Literal> evaluate(const ir::Op& op, const std::vector<const ir::Literal*>& operands);

/// An OpDef::eval by OpDef::meaning.
void evaluate_meaning(EvalContext& c);

}  // namespace pullback::ops
