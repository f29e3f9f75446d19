// The verifier: every rule at the top of graph.h.
#include <algorithm>
#include <set>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/ir/text.h"
#include "compiler/ops/infer_context.h"

namespace pullback::ir {

namespace {

// Throws itself with a sentence at the first broken rule.
struct Violation {
  std::string sentence;
};

[[noreturn]] void violated(const std::string& sentence) {
  throw Violation{sentence};
}
[[noreturn]] void violated(const Op& op, const std::string& sentence) {
  throw Violation{fmt::format("{}: in {}", sentence, print(op))};
}

void check_types(const Op& op) {
  std::vector<Type> types;
  try {
    types = ops::infer_types(op);
  } catch (const Error& error) {
    violated(op, error.what());
  }
  if (types.size() != op.results.size())
    violated(op, fmt::format("{} results instead of {}", op.results.size(), types.size()));
  for (std::size_t i = 0; i < types.size(); ++i)
    if (op.result(i)->type != types[i]) violated(op, fmt::format("result {} should be {}", i, to_string(types[i])));
}

void check_region(const Region& region) {
  std::unordered_set<const Value*> defined;
  for (std::size_t i = 0; i < region.arguments.size(); ++i) {
    const Value* argument = region.arguments[i].get();
    if (!argument || argument->region != &region || argument->definer || argument->index != i)
      violated(fmt::format("argument {} of a region does not know its place", i));
    defined.insert(argument);
  }
  for (const auto& op : region.ops) {
    if (!op || !op->def) violated("an op without a definition");
    for (const Value* operand : op->operands)
      if (!defined.count(operand)) violated(*op, "an operand is not defined before it is read, in the same region");
    for (std::size_t i = 0; i < op->results.size(); ++i) {
      const Value* result = op->result(i);
      if (!result || result->definer != op.get() || result->region || result->index != i)
        violated(fmt::format("{}: result {} does not know its place", op->def->name, i));
    }
    for (const auto& nested : op->regions) {
      if (!nested) violated(*op, "a missing region");
      check_region(*nested);
    }
    check_types(*op);
    for (const auto& result : op->results) defined.insert(result.get());
  }
  for (const Value* result : region.results)
    if (!defined.count(result)) violated("a region's result is not defined in it");
}

void check_signature(const Function& function) {
  const auto& arguments = function.body.arguments;
  if (function.roles.size() != arguments.size())
    violated(fmt::format("{} arguments, but {} roles", arguments.size(), function.roles.size()));
  if (function.results.size() != function.body.results.size())
    violated(fmt::format("{} results, but {} result values", function.results.size(), function.body.results.size()));
  std::set<std::string> names;
  for (const auto& argument : arguments)
    if (!argument->name.empty() && !names.insert(argument->name).second)
      violated(fmt::format("two arguments are called %{}", argument->name));
  std::set<std::ptrdiff_t> updated;
  for (std::size_t i = 0; i < function.results.size(); ++i) {
    const std::ptrdiff_t updates = function.results[i].updates;
    if (updates < 0) continue;
    if (updates >= std::ssize(arguments) || function.roles[static_cast<std::size_t>(updates)] != ArgumentRole::state)
      violated(fmt::format("result {} updates an argument that is no state", i));
    const Value& state = *arguments[static_cast<std::size_t>(updates)];
    if (!updated.insert(updates).second) violated(fmt::format("state %{} is updated twice", state.name));
    if (state.type != function.body.results[i]->type)
      violated(fmt::format("state %{} is {}, its update {}", state.name, to_string(state.type),
                           to_string(function.body.results[i]->type)));
  }
}

}  // namespace

std::string find_violation(const Function& function) {
  try {
    check_region(function.body);
    check_signature(function);
  } catch (const Violation& violation) {
    return violation.sentence;
  }
  return "";
}

void verify(const Function& function, const std::string& stage) {
  const std::string sentence = find_violation(function);
  if (sentence.empty()) return;
  throw InternalError(
      fmt::format("{}: @{}: {}\n{}", stage, function.name, sentence, print(function, {.resources = false})));
}

}  // namespace pullback::ir
