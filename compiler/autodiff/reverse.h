// The reverse walk itself, as gradient.cpp, jvp.cpp and step.cpp use it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/builder.h"
#include "compiler/ops/contexts.h"

namespace pullback::autodiff {

/// The ops that a walk looks at: positions [begin, end) of the builder's region.
struct OpRange {
  std::size_t begin = 0, end = 0;
};

/// Appends sum_i cotangents[i] * d(outputs[i])/d(wrt[j]), for paths through the ops of `range` alone. An entry is null
/// where no output depends on wrt[j]. New ops have `role` in their location.
std::vector<ir::Value*> reverse_walk(ir::Builder& builder, std::span<ir::Value* const> outputs,
                                     std::span<ir::Value* const> cotangents, std::span<ir::Value* const> wrt,
                                     OpRange range, const std::string& role);

/// One op's rule for the given cotangents of its results (null: none). Entries are null where the rule adds nothing or
/// `wanted` is false.
std::vector<ir::Value*> apply_vjp(ir::Builder& builder, ir::Op& op, std::span<ir::Value* const> cotangents,
                                  const std::vector<bool>& wanted, const std::string& role);

/// The derivative of a region, for ops that own regions: see GradContext.
ops::GradContext::JointGradient joint_gradient(const ir::Region& body, const std::vector<std::size_t>& wanted,
                                               const std::vector<std::size_t>& outputs, const std::string& role);
std::unique_ptr<ir::Region> gradient_region(const ir::Region& body, const std::vector<std::size_t>& wanted,
                                            const std::string& role);

/// Where the derivative of `op` comes from: its line and scope, `role`, and the op's (a composite's own) name.
ir::Location derived_location(const ir::Op& op, const std::string& role, const ir::Location& enclosing);

/// "x (i32[3])", or the op that computes it when it has no name.
std::string describe(const ir::Value& value);
/// The user's line of the op that computes the value; unknown for an argument.
SourceLine line_of(const ir::Value& value);
/// Throws Error unless every value is floating; `what` begins the message.
void require_floating(std::span<ir::Value* const> values, const std::string& what);

/// The argument or result of a function that has this name. Throw Error listing the names that exist.
ir::Value* find_argument(const ir::Function& function, const std::string& name, const std::string& what);
ir::Value* find_result(const ir::Function& function, const std::string& name, const std::string& what);
std::vector<ir::Value*> find_arguments(const ir::Function& function, const std::vector<std::string>& names,
                                       const std::string& what);
std::vector<ir::Value*> find_results(const ir::Function& function, const std::vector<std::string>& names,
                                     const std::string& what);

}  // namespace pullback::autodiff
