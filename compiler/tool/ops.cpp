// pullback ops: what there is to write in text IR, from the registry.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/ops/registry.h"
#include "compiler/tool/commands.h"

namespace pullback::tool {

namespace {

std::string operands_text(const ops::OpDef& op) {
  if (op.arity < 0) return "any number of operands";
  return fmt::format("{} operand{}", op.arity, op.arity == 1 ? "" : "s");
}

std::string traits_text(const ops::OpDef& op) {
  std::vector<std::string> words;
  if (op.traits.elementwise) words.push_back("elementwise");
  if (op.traits.commutative) words.push_back("commutative");
  if (op.traits.reduction) words.push_back("reduction");
  if (op.traits.moves_data) words.push_back("moves data");
  if (op.traits.effectful) words.push_back("effectful");
  return words.empty() ? "" : fmt::format("; {}", fmt::join(words, ", "));
}

}  // namespace

void list_ops(bool markdown) {
  for (const ops::OpDef* op : ops::registry().all()) {
    if (!markdown) {
      fmt::print("{}: {}{}\n", op->name, operands_text(*op), traits_text(*op));
      continue;
    }
    fmt::print("### {}\n\n{}{}.\n\n{}\n\n", op->name, operands_text(*op), traits_text(*op), op->doc);
    if (!op->no_vjp.empty()) fmt::print("No gradient: {}.\n\n", op->no_vjp);
  }
}

}  // namespace pullback::tool
