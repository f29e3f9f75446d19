// Evaluates expressions of PyTorch into tensors of a graph.
#pragma once

#include <map>
#include <string>

#include "tests/golden/torch/expression.h"
#include "tests/golden/torch/functions.h"

namespace pullback::golden {

/// The names that an expression may use beside those of modules and constants.
using Variables = std::map<std::string, Value>;

/// Throws Error for names, functions or operations that are not known.
Value evaluate(const Expression& expression, const Context& context, const Variables& variables);
/// Of numbers, strings, None, lists: a default in a signature.
Value evaluate_constant(const Expression& expression);

}  // namespace pullback::golden
