// check: what must hold when the program runs.
#include <fmt/format.h>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

std::size_t placeholders(const std::string& message) {
  std::size_t count = 0;
  for (std::size_t at = message.find("{}"); at != std::string::npos; at = message.find("{}", at + 2)) ++count;
  return count;
}

std::vector<ir::Type> infer_check(const InferContext& c) {
  if (c.operand_count() == 0) c.fail("needs a predicate");
  c.require_boolean(0);
  for (std::size_t i = 0; i < c.operand_count(); ++i) c.require_scalar(i);
  const auto& message = c.attribute<std::string>("message");
  if (placeholders(message) != c.operand_count() - 1)
    c.fail(fmt::format("the message \"{}\" needs one {{}} for each of {} witnesses", message, c.operand_count() - 1));
  return {};
}

// As the runtime writes them.
std::string witness_text(const ir::Literal& witness) {
  if (witness.dtype == DType::boolean) return witness.as_integer(0) != 0 ? "true" : "false";
  return is_float(witness.dtype) ? fmt::format("{:.9g}", witness.as_double(0))
                                 : fmt::format("{}", witness.as_integer(0));
}

void eval_check(EvalContext& c) {
  if (c.operand(0).as_integer(0) != 0) return;
  std::string message = c.attributes().string("message");
  std::size_t at = 0;
  for (std::size_t i = 1; i < c.operand_count(); ++i) {
    const std::string text = witness_text(c.operand(i));
    at = message.find("{}", at);
    message.replace(at, 2, text);
    at += text.size();
  }
  throw Error(message, c.op().location->line);
}

}  // namespace

const OpDef op_check{
    .name = "check",
    .arity = -1,
    .doc =
        "(predicate, witnesses): when the predicate (a bool scalar) is false the step fails with `message`, whose {} "
        "are replaced by the witnesses (scalars), before any state is written.",
    .traits = {.effectful = true},
    .infer = infer_check,
    .no_vjp = "it has no results",
    .control = true,
    .eval = eval_check,
    .samples = {{.shapes = {{}, {}},
                 .attributes = {{"message", "label {} is out of range"}},
                 .dtypes = {DType::boolean, DType::i32},
                 .low = 1,
                 .high = 9,
                 .why = "the predicate must hold"}},
};

}  // namespace pullback::ops
