// The reference evaluator with error bounds: how far the results of another implementation, which rounds where it
// wants and adds in its own order, may lie from the reference evaluator's.
//
// This is running error analysis (N. Higham, Accuracy and Stability of Numerical Algorithms, section 3.3): each op
// passes on the errors of its operands and adds its own rounding.
// - Elementwise ops: the errors of the operands move the result as far as the corners of the box around them do (small
//   boxes; between corners these functions are monotone to first order), and the op itself adds 4 ulp: 2 of a function
//   of Pullback's own, 1 of the reference's, 1 of evaluating the corner.
// - Other ops are sums of products with coefficients of at least 0, or monotone (maxima, sorting): p(x + d) - p(x) is
//   at most p(|x| + e) - p(|x|) for the former, and is between p(x - e) - p(x) and p(x + e) - p(x) for the latter. The
//   op adds an ulp of p(|x|) for each term that it may have added up, in whatever order.
// - An op whose result elements all are operand elements (moved, chosen, negated) rounds nothing.
// - A truth value, or an integer, that the errors can change is uncertain, and so is what is selected by it.
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/ir/literal.h"

namespace pullback::testing {

/// A result and how far from it, element by element, another implementation may end; infinite: anywhere.
struct Bounded {
  ir::Literal value;
  std::vector<double> error;
};

/// The results of a function without symbols, whose arguments are exact.
std::vector<Bounded> evaluate_bounded(const ir::Function& function, const std::vector<ir::Literal>& arguments);

/// "" when `got` has the type of `expected` and lies within its bounds (NaN for NaN), else what differs.
std::string difference(const ir::Literal& got, const Bounded& expected);

}  // namespace pullback::testing
