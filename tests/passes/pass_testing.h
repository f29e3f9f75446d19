// What the pass tests share: a pass is given text and compared with text; meanings are compared by evaluation.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "compiler/ir/text.h"

namespace pullback::testing {

using PassFunction = bool (*)(ir::Function&);

/// A rewrite: what `pass` makes of the ops and the return of a function with these arguments. An empty `after`:
/// nothing.
struct PassCase {
  const char* what;
  const char* arguments;
  const char* before;
  const char* after;
};

std::unique_ptr<ir::Function> parse_one(const std::string& text);
/// "func @f(ARGUMENTS) {\n BODY \n}".
std::string function_text(const std::string& arguments, const std::string& body);

/// Runs the pass; checks that it gives `after`, says whether it changed something, verifies, and that a second run
/// changes nothing.
void check_pass(PassFunction pass, const PassCase& test);

/// Random arguments; floating ones hold NaN, infinities, both zeros and subnormal numbers among others.
std::vector<ir::Literal> special_arguments(const ir::Function& function, std::mt19937& random);
/// Are both the same bits, apart from what NaN carries (and, if said, the sign of zero)?
bool same_bits(const ir::Literal& a, const ir::Literal& b, bool zero_signs = true);
/// Evaluates both functions on special arguments and compares bits.
void check_same_meaning(const ir::Function& before, const ir::Function& after, bool zero_signs = true);

}  // namespace pullback::testing
