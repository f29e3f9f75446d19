#include "compiler/autodiff/jvp.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/reverse.h"
#include "compiler/ir/prune.h"
#include "compiler/ops/build.h"
#include "compiler/ops/op_def.h"

namespace pullback::autodiff {
namespace {

using Tangents = std::unordered_map<const ir::Value*, ir::Value*>;

/// The values from which `outputs` are computed.
std::unordered_set<const ir::Value*> needed_for(const ir::Region& region, std::span<ir::Value* const> outputs) {
  std::unordered_set<const ir::Value*> needed(outputs.begin(), outputs.end());
  for (std::size_t i = region.ops.size(); i-- > 0;) {
    const ir::Op& op = *region.ops[i];
    bool any = false;
    for (const auto& result : op.results) any = any || needed.contains(result.get());
    if (any) needed.insert(op.operands.begin(), op.operands.end());
  }
  return needed;
}

/// The transpose of the op's VJP. With u the cotangents of the results, the VJP gives g(u), linear in u; the results'
/// tangents are d<g(u), t>/du. u itself is zeros that nothing reads in the end.
std::vector<ir::Value*> derived_rule(ir::Builder& builder, ir::Op& op, const std::vector<ir::Value*>& tangents) {
  std::vector<ir::Value*> cotangents, placeholders;
  for (const auto& result : op.results) {
    const bool floating = is_float(result->type.dtype);
    cotangents.push_back(floating ? ops::full(builder, result->type, 0).value : nullptr);
    if (floating) placeholders.push_back(cotangents.back());
  }
  std::vector<bool> wanted;
  for (const ir::Value* tangent : tangents) wanted.push_back(tangent != nullptr);

  const std::size_t begin = builder.region().ops.size();
  const std::vector<ir::Value*> pulled = apply_vjp(builder, op, cotangents, wanted, "jvp");
  std::vector<ir::Value*> outputs, seeds;
  for (std::size_t i = 0; i < pulled.size(); ++i) {
    if (!pulled[i]) continue;
    outputs.push_back(pulled[i]);
    seeds.push_back(tangents[i]);
  }
  const std::vector<ir::Value*> pushed =
      reverse_walk(builder, outputs, seeds, placeholders, {begin, builder.region().ops.size()}, "jvp");
  std::vector<ir::Value*> result;
  std::size_t next = 0;
  for (const ir::Value* cotangent : cotangents) result.push_back(cotangent ? pushed[next++] : nullptr);
  return result;
}

/// The op's own rule takes a tangent for each operand: zeros where there is none, null for one that is not floating.
std::vector<ir::Value*> own_rule(ir::Builder& builder, const ir::Op& op, std::vector<ir::Value*> tangents) {
  for (std::size_t i = 0; i < tangents.size(); ++i)
    if (!tangents[i] && is_float(op.operand(i)->type.dtype))
      tangents[i] = ops::full(builder, op.operand(i)->type, 0).value;
  return op.def->jvp(builder, op, tangents);
}

void push_through(ir::Builder& builder, ir::Op& op, Tangents& tangents) {
  std::vector<ir::Value*> incoming;
  bool any = false;
  for (const ir::Value* operand : op.operands) {
    const auto entry = tangents.find(operand);
    incoming.push_back(entry == tangents.end() ? nullptr : entry->second);
    any = any || incoming.back();
  }
  bool floating = false;
  for (const auto& result : op.results) floating = floating || is_float(result->type.dtype);
  if (!any || !floating) return;
  builder.location = derived_location(op, "jvp", *builder.location);
  const std::vector<ir::Value*> outgoing =
      op.def->jvp ? own_rule(builder, op, incoming) : derived_rule(builder, op, incoming);
  for (std::size_t i = 0; i < outgoing.size(); ++i) {
    if (!outgoing[i]) continue;
    const ir::Value* of = op.result(i);
    ir::Value* tangent = outgoing[i];
    if (!of->name.empty() && (tangent->name.empty() || tangent->name.starts_with("d.")))
      tangent->name = "t." + of->name;
    tangents[of] = tangent;
  }
}

}  // namespace

std::vector<ir::Value*> jvp(ir::Builder& builder, std::span<ir::Value* const> outputs, std::span<ir::Value* const> wrt,
                            std::span<ir::Value* const> directions) {
  require_floating(wrt, "derivative with respect to");
  if (wrt.size() != directions.size())
    throw InternalError(fmt::format("jvp: {} values, but {} tangents", wrt.size(), directions.size()));
  Tangents tangents;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    if (wrt[i]->type != directions[i]->type)
      throw Error(fmt::format("jvp: the tangent of {} is {}", describe(*wrt[i]), ir::to_string(directions[i]->type)),
                  line_of(*wrt[i]));
    tangents[wrt[i]] = directions[i];
  }

  const ir::LocationRef before = builder.location;
  const auto needed = needed_for(builder.region(), outputs);
  const std::size_t end = builder.region().ops.size();
  for (std::size_t i = 0; i < end; ++i) {
    ir::Op& op = *builder.region().ops[i];
    bool any = false;
    for (const auto& result : op.results)
      any = any || (needed.contains(result.get()) && !tangents.contains(result.get()));
    if (any) push_through(builder, op, tangents);
  }
  builder.location.edit().role = "jvp";
  std::vector<ir::Value*> result;
  for (const ir::Value* output : outputs) {
    const auto entry = tangents.find(output);
    if (!is_float(output->type.dtype))
      result.push_back(nullptr);
    else if (entry != tangents.end())
      result.push_back(entry->second);
    else
      result.push_back(ops::full(builder, output->type, 0).value);
  }
  builder.location = before;
  return result;
}

namespace {

std::vector<ir::Value*> add_directions(ir::Function& function, std::span<ir::Value* const> wrt) {
  std::vector<ir::Value*> directions;
  for (const ir::Value* value : wrt) directions.push_back(function.add_argument(value->type, "t." + value->name));
  return directions;
}

void replace_results(ir::Function& function, const std::vector<ir::Value*>& values, const std::string& prefix,
                     const std::vector<std::string>& names) {
  function.results.clear();
  function.body.results.clear();
  for (std::size_t i = 0; i < values.size(); ++i) function.add_result(values[i], prefix + names[i]);
  ir::keep_needed(function);
}

}  // namespace

std::unique_ptr<ir::Function> jvp(const ir::Function& function, const std::vector<std::string>& outputs,
                                  const std::vector<std::string>& wrt) {
  std::unique_ptr<ir::Function> f = ir::clone(function);
  const std::vector<ir::Value*> output_values = find_results(*f, outputs, "jvp");
  const std::vector<ir::Value*> wrt_values = find_arguments(*f, wrt, "jvp");
  require_floating(output_values, "derivative of");
  require_floating(wrt_values, "derivative with respect to");
  ir::Builder builder(f->body);
  const std::vector<ir::Value*> directions = add_directions(*f, wrt_values);
  replace_results(*f, jvp(builder, output_values, wrt_values, directions), "t.", outputs);
  f->name = function.name + ".jvp";
  return f;
}

std::unique_ptr<ir::Function> hessian_vector_product(const ir::Function& function, const std::string& loss,
                                                     const std::vector<std::string>& wrt) {
  std::unique_ptr<ir::Function> f = ir::clone(function);
  ir::Value* loss_value = find_result(*f, loss, "hessian_vector_product");
  const std::vector<ir::Value*> wrt_values = find_arguments(*f, wrt, "hessian_vector_product");
  require_floating(wrt_values, "gradient with respect to");
  ir::Builder builder(f->body);
  const std::vector<ir::Value*> directions = add_directions(*f, wrt_values);
  replace_results(*f, hessian_vector_product(builder, loss_value, wrt_values, directions), "h.", wrt);
  f->name = function.name + ".hvp";
  return f;
}

}  // namespace pullback::autodiff
