// Ops with regions, traced from functions of the user: branches, named blocks, gradients of one's own; and checks.
#include <fmt/format.h>

#include <pullback/functions.h>

#include "compiler/frontend/operands.h"
#include "compiler/frontend/regions.h"

namespace pullback {

using detail::Trace;

using detail::arguments_of, detail::trace_region, detail::types_of;

std::vector<Tensor> cond(const Tensor& predicate, const Branch& then_branch, const Branch& else_branch,
                         SourceLocation where) {
  detail::require_defined("cond", predicate, where);
  Trace& trace = *predicate.trace();
  const SourceLine line = trace.line(where);
  if (predicate.dtype() != boolean || predicate.rank() != 0)
    detail::fail("cond", fmt::format("the predicate is {}: a bool scalar is needed", predicate.type_string()), line);
  detail::require_function("cond", "first branch", then_branch, line);
  detail::require_function("cond", "second branch", else_branch, line);
  Trace::Frame then_frame(trace), else_frame(trace);
  const std::vector<Tensor> then_results = trace_region(trace, then_frame, "cond", line, then_branch);
  // Both regions take all that either of them captured, in one order.
  for (ir::Value* outer : then_frame.captures) trace.capture(else_frame, outer);
  const std::vector<Tensor> else_results = trace_region(trace, else_frame, "cond", line, else_branch);
  for (ir::Value* outer : else_frame.captures) trace.capture(then_frame, outer);
  bool agree = then_results.size() == else_results.size();
  for (std::size_t i = 0; agree && i < then_results.size(); ++i)
    agree = then_results[i].value()->type == else_results[i].value()->type;
  if (!agree)
    detail::fail("cond",
                 fmt::format("the branches return {} and {}: the types must agree", types_of(then_results),
                             types_of(else_results)),
                 line);
  std::vector<Tensor> operands{predicate};
  for (ir::Value* outer : else_frame.captures) operands.push_back(trace.wrap(outer));
  std::vector<std::unique_ptr<ir::Region>> regions;
  regions.push_back(std::move(then_frame.region));
  regions.push_back(std::move(else_frame.region));
  return trace.create_all("cond", operands, {}, line, std::move(regions));
}

Tensor cond(const Tensor& predicate, const std::function<Tensor()>& then_branch,
            const std::function<Tensor()>& else_branch, SourceLocation where) {
  const auto listed = [](const std::function<Tensor()>& branch) {
    return branch ? Branch([&] { return std::vector{branch()}; }) : Branch();
  };
  return cond(predicate, listed(then_branch), listed(else_branch), where).front();
}

// The shared part of composite and custom_gradient: operands, then what the body captured.
static std::vector<Tensor> block(const char* op, ir::Attributes attributes, const std::vector<Tensor>& operands,
                                 const Body& body, const Body* gradient, const SourceLocation& where) {
  const std::string& name = attributes.string("name");
  if (operands.empty()) detail::fail(op, fmt::format("{} has no operands", name), where);
  for (const Tensor& operand : operands) detail::require_defined(op, operand, where);
  Trace& trace = *operands.front().trace();
  const SourceLine line = trace.line(where);
  detail::require_function(op, "body", body, line);
  if (gradient) detail::require_function(op, "gradient", *gradient, line);
  Trace::Frame frame(trace);
  for (const Tensor& operand : operands) frame.region->add_argument(operand.value()->type, operand.name());
  const std::vector<Tensor> results =
      trace_region(trace, frame, op, line, [&] { return body(arguments_of(trace, frame, 0, operands.size())); });
  std::vector<std::unique_ptr<ir::Region>> regions;
  const auto reject_captures = [&](const Trace::Frame& traced, const char* part) {
    if (traced.captures.empty()) return;
    const ir::Value& outer = *traced.captures.front();
    detail::fail(op,
                 fmt::format("the {} of {} uses {} {}, which is not among its operands: pass it", part, name,
                             outer.name, ir::to_string(outer.type)),
                 line);
  };
  if (gradient) {
    reject_captures(frame, "body");
    Trace::Frame backward(trace);
    for (const Tensor& operand : operands) backward.region->add_argument(operand.value()->type, operand.name());
    for (int pass = 0; pass < 2; ++pass)  // the results, then their cotangents
      for (const Tensor& result : results)
        backward.region->add_argument(result.value()->type,
                                      pass == 0 || result.name().empty() ? "" : "d." + result.name());
    const std::vector<Tensor> cotangents = trace_region(trace, backward, op, line, [&] {
      return (*gradient)(arguments_of(trace, backward, 0, operands.size() + 2 * results.size()));
    });
    reject_captures(backward, "gradient");
    bool agree = cotangents.size() == operands.size();
    for (std::size_t i = 0; agree && i < operands.size(); ++i)
      agree = cotangents[i].value()->type == operands[i].value()->type;
    if (!agree)
      detail::fail(op,
                   fmt::format("the gradient of {} returns {}, its operands are {}: the types must agree", name,
                               types_of(cotangents), types_of(operands)),
                   line);
    regions.push_back(std::move(frame.region));
    regions.push_back(std::move(backward.region));
  } else {
    regions.push_back(std::move(frame.region));
  }
  std::vector<Tensor> all = operands;
  for (ir::Value* outer : frame.captures) all.push_back(trace.wrap(outer));
  return trace.create_all("composite", all, std::move(attributes), line, std::move(regions));
}

std::vector<Tensor> composite(const std::string& name, const std::vector<Tensor>& operands, const Body& body,
                              SourceLocation where) {
  return block("composite", {{"name", name}}, operands, body, nullptr, where);
}

std::vector<Tensor> custom_gradient(const std::string& name, const std::vector<Tensor>& operands, const Body& body,
                                    const Body& gradient, SourceLocation where) {
  return block("custom_gradient", {{"name", name}}, operands, body, &gradient, where);
}

Body checkpoint(Body body, SourceLocation where) {
  return [body = std::move(body), where](const std::vector<Tensor>& operands) {
    return block("checkpoint", {{"name", "checkpoint"}, {"recompute", true}}, operands, body, nullptr, where);
  };
}

void check(const Tensor& condition, const std::string& message, const std::vector<Tensor>& witnesses,
           SourceLocation where) {
  detail::require_defined("check", condition, where);
  detail::Pin pin(condition, where);
  Trace& trace = *condition.trace();
  const SourceLine line = trace.line(where);
  if (condition.dtype() != boolean)
    detail::fail("check", fmt::format("the condition is {}, not bool: compare it first", condition.type_string()),
                 line);
  for (const Tensor& witness : witnesses) {
    detail::require_defined("check", witness, where);
    if (witness.rank() != 0)
      detail::fail("check", fmt::format("a witness is {}: a scalar is needed", witness.type_string()), line);
  }
  std::vector<Tensor> operands{condition.rank() == 0 ? condition : all(condition)};
  operands.insert(operands.end(), witnesses.begin(), witnesses.end());
  trace.create_all("check", operands, {{"message", message}}, line);
}

}  // namespace pullback
