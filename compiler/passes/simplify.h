// The rules of simplify: a table in which each row is one identity. The rows are in simplify_*.cpp by kind of op.
#pragma once

#include <span>
#include <string_view>

#include "compiler/ir/builder.h"
#include "compiler/ops/op_def.h"

namespace pullback::passes {

/// Tried on each op that is a `def`, operands already simplified. `apply` returns what replaces result 0, built before
/// the op, or null when it does not match. The op it gets is not changed.
struct SimplifyRule {
  const ops::OpDef* def;
  std::string_view identity;  ///< what it says, for readers: "x * 1 = x"
  ir::Value* (*apply)(const ir::Op& op, ir::Builder& builder);
};

std::span<const SimplifyRule> arithmetic_rules();
std::span<const SimplifyRule> logic_rules();
std::span<const SimplifyRule> movement_rules();

}  // namespace pullback::passes
