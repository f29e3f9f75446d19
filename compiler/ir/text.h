// The text form of the tensor IR. What print() writes, parse() reads back to an equal graph; the reverse holds too.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/graph.h"

namespace pullback::ops {
class Registry;
}

namespace pullback::ir {

struct PrintOptions {
  bool locations = true;
  std::size_t inline_constant_limit = 64;  ///< dense constants with more elements are printed by reference
  bool resources = true;  ///< print what references refer to, at the end; without, the text cannot be parsed
};

std::string print(const Function& function, const PrintOptions& options = {});
/// One op on one line, without a newline; for messages.
std::string print(const Op& op);

/// Parses and verifies one or more functions, looking ops up by name in `registry`. Throws
/// Error("FILE:LINE:COLUMN: ...").
std::vector<std::unique_ptr<Function>> parse(std::string_view text, const ops::Registry& registry,
                                             const std::string& file = "<text>");

/// The first rule at the top of graph.h that the function breaks, as a sentence that shows the op; "" when all hold.
std::string find_violation(const Function& function);
/// Checks every rule at the top of graph.h, types against the ops' shape rules, and result/state agreement. Throws
/// InternalError that names `stage` and prints the function.
void verify(const Function& function, const std::string& stage);
/// Do both compute the same by the same ops? The functions' names, the names of values and (unless asked for)
/// locations may differ; roles and results may not.
bool equal(const Function& a, const Function& b, bool with_locations = false);

}  // namespace pullback::ir
