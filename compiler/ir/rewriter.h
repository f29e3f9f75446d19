// The walk that rewriting passes share: visits ops in order, replaces results, keeps nested regions in step.
#pragma once

#include <functional>

#include "compiler/ir/builder.h"

namespace pullback::ir {

/// For each op in order (nested regions first), operands already rewritten, calls `rule(op, builder)`, whose
/// builder inserts before the op and has the op's location. The rule returns one replacement for each result, or an
/// empty vector to keep the op. Returns whether anything was replaced. Replaced ops stay until dce removes them.
using Rule = std::function<std::vector<Value*>(Op& op, Builder& builder)>;
bool rewrite(Region& region, const Rule& rule);

/// How often each value is read in `region` (operands and results; nested regions are isolated and counted apart).
std::unordered_map<const Value*, int> use_counts(const Region& region);

}  // namespace pullback::ir
