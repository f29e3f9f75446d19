#include "compiler/autodiff/reverse.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "compiler/ir/prune.h"
#include "compiler/ops/contexts.h"
#include "compiler/ops/ops.h"

namespace pullback::autodiff {
namespace {

/// Gradient contributions by value; the only place where they are added up.
class Adjoints {
 public:
  explicit Adjoints(ir::Builder& builder) : builder_(&builder) {}

  bool has(const ir::Value* of) const { return parts_.contains(of); }

  void add(const ir::Value* of, ir::Value* part) {
    if (part->type != of->type)
      throw InternalError(
          fmt::format("autodiff: the gradient of {} has type {}", describe(*of), ir::to_string(part->type)));
    parts_[of].push_back(part);
  }

  /// The sum of what was added, in that order; null for nothing.
  ir::Value* sum(const ir::Value* of) {
    const auto entry = parts_.find(of);
    if (entry == parts_.end()) return nullptr;
    std::vector<ir::Value*>& parts = entry->second;
    ops::Value total(*builder_, parts.front());
    for (std::size_t i = 1; i < parts.size(); ++i) total = ops::add(total, {*builder_, parts[i]});
    parts = {total.value};
    // A value that stood here before (a cotangent, a forward value) keeps its name.
    const bool derived = total.value->definer && !total.value->definer->location->role.empty();
    if (derived && total.value->name.empty() && !of->name.empty()) total.value->name = "d." + of->name;
    return total.value;
  }

 private:
  ir::Builder* builder_;
  std::unordered_map<const ir::Value*, std::vector<ir::Value*>> parts_;
};

/// What an op's gradient rule sees.
class RuleContext final : public ops::GradContext {
 public:
  RuleContext(ir::Builder& builder, ir::Op& op, std::vector<ir::Value*> cotangents, std::vector<bool> wanted,
              std::string role)
      : builder_(&builder),
        op_(&op),
        cotangents_(std::move(cotangents)),
        wanted_(std::move(wanted)),
        role_(std::move(role)) {}

  const ir::Op& op() const override { return *op_; }
  ir::Builder& build() override { return *builder_; }
  ops::Value operand(std::size_t i) override { return {*builder_, op_->operand(i)}; }
  ops::Value result(std::size_t i) override { return {*builder_, op_->result(i)}; }
  bool has_out_grad(std::size_t i) const override { return cotangents_[i] != nullptr; }
  ops::Value out_grad(std::size_t i) override {
    if (!cotangents_[i]) cotangents_[i] = ops::full(*builder_, op_->result(i)->type, 0).value;
    return {*builder_, cotangents_[i]};
  }
  bool needs_grad(std::size_t i) const override { return wanted_[i]; }
  void add_grad(std::size_t i, ops::Value gradient) override {
    if (wanted_[i]) added.emplace_back(i, gradient.value);
  }
  std::unique_ptr<ir::Region> gradient_region(const ir::Region& body, const std::vector<std::size_t>& wanted) override {
    return autodiff::gradient_region(body, wanted, role_);
  }
  JointGradient joint_gradient(const ir::Region& body, const std::vector<std::size_t>& wanted,
                               const std::vector<std::size_t>& outputs) override {
    return autodiff::joint_gradient(body, wanted, outputs, role_);
  }
  ir::Op& extend() override { return *op_; }

  std::vector<std::pair<std::size_t, ir::Value*>> added;

 private:
  ir::Builder* builder_;
  ir::Op* op_;
  std::vector<ir::Value*> cotangents_;
  std::vector<bool> wanted_;
  std::string role_;
};

/// Runs the op's rule; throws Error when it has none.
std::vector<std::pair<std::size_t, ir::Value*>> run_rule(ir::Builder& builder, ir::Op& op,
                                                         std::vector<ir::Value*> cotangents, std::vector<bool> wanted,
                                                         const std::string& role) {
  if (!op.def->vjp)
    throw Error(fmt::format("gradient: {} has no gradient: {}", op.def->name, op.def->no_vjp), op.location->line);
  RuleContext context(builder, op, std::move(cotangents), std::move(wanted), role);
  op.def->vjp(context);
  return std::move(context.added);
}

/// The floating values that depend on wrt through ops of the range.
std::unordered_set<const ir::Value*> varying(const ir::Region& region, std::span<ir::Value* const> wrt, OpRange range) {
  std::unordered_set<const ir::Value*> result(wrt.begin(), wrt.end());
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const ir::Op& op = *region.ops[i];
    bool any = false;
    for (const ir::Value* operand : op.operands) any = any || result.contains(operand);
    if (!any) continue;
    for (const auto& value : op.results)
      if (is_float(value->type.dtype)) result.insert(value.get());
  }
  return result;
}

/// "a, b, c", for messages.
template <class Names>
std::string joined(const Names& names) {
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::vector<ir::Value*> reverse_walk(ir::Builder& builder, std::span<ir::Value* const> outputs,
                                     std::span<ir::Value* const> cotangents, std::span<ir::Value* const> wrt,
                                     OpRange range, const std::string& role) {
  const ir::LocationRef enclosing = builder.location;
  const auto varies = varying(builder.region(), wrt, range);
  Adjoints adjoints(builder);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (varies.contains(outputs[i])) adjoints.add(outputs[i], cotangents[i]);

  for (std::size_t position = range.end; position-- > range.begin;) {
    ir::Op& op = *builder.region().ops[position];
    std::vector<bool> wanted;
    bool any_wanted = false, reached = false;
    for (const ir::Value* operand : op.operands) {
      wanted.push_back(varies.contains(operand));
      any_wanted = any_wanted || wanted.back();
    }
    for (const auto& result : op.results) reached = reached || adjoints.has(result.get());
    if (!any_wanted || !reached) continue;

    builder.location = derived_location(op, role, *enclosing);
    std::vector<ir::Value*> out_grads;
    for (const auto& result : op.results) out_grads.push_back(adjoints.sum(result.get()));
    for (const auto& [i, part] : run_rule(builder, op, std::move(out_grads), std::move(wanted), role))
      adjoints.add(op.operand(i), part);
  }

  std::vector<ir::Value*> result;
  for (const ir::Value* value : wrt) {
    builder.location = value->definer ? derived_location(*value->definer, role, *enclosing) : enclosing;
    if (builder.location->role.empty()) builder.location.edit().role = role;
    result.push_back(adjoints.sum(value));
  }
  builder.location = enclosing;
  return result;
}

ops::GradContext::JointGradient joint_gradient(const ir::Region& body, const std::vector<std::size_t>& wanted,
                                               const std::vector<std::size_t>& outputs, const std::string& role) {
  ops::GradContext::JointGradient joint{ir::clone_region(body), body.ops.size()};
  ir::Region& region = *joint.region;
  std::vector<ir::Value*> results, cotangents, wrt;
  for (const std::size_t i : outputs) {
    ir::Value* result = region.results[i];
    results.push_back(result);
    cotangents.push_back(region.add_argument(result->type, result->name.empty() ? "" : "d." + result->name));
  }
  for (const std::size_t i : wanted) wrt.push_back(region.arguments[i].get());
  ir::Builder builder(region);
  region.results = reverse_walk(builder, results, cotangents, wrt, {0, joint.forward_ops}, role);
  for (std::size_t i = 0; i < wrt.size(); ++i)
    if (!region.results[i]) region.results[i] = ops::full(builder, wrt[i]->type, 0).value;
  return joint;
}

std::unique_ptr<ir::Region> gradient_region(const ir::Region& body, const std::vector<std::size_t>& wanted,
                                            const std::string& role) {
  std::vector<std::size_t> outputs;
  for (std::size_t i = 0; i < body.results.size(); ++i)
    if (is_float(body.results[i]->type.dtype)) outputs.push_back(i);
  std::unique_ptr<ir::Region> region = joint_gradient(body, wanted, outputs, role).region;
  ir::remove_unread_ops(*region);
  return region;
}

std::vector<ir::Value*> apply_vjp(ir::Builder& builder, ir::Op& op, std::span<ir::Value* const> cotangents,
                                  const std::vector<bool>& wanted, const std::string& role) {
  std::vector<ir::Value*> result(op.operands.size(), nullptr);
  for (const auto& [i, part] : run_rule(builder, op, {cotangents.begin(), cotangents.end()}, wanted, role)) {
    ops::Value sum(builder, part);
    if (result[i]) sum = ops::add({builder, result[i]}, sum);
    result[i] = sum.value;
  }
  return result;
}

ir::Location derived_location(const ir::Op& op, const std::string& role, const ir::Location& enclosing) {
  ir::Location location = *op.location;
  if (!location.line.known()) location.line = enclosing.line;
  if (location.scope.empty()) location.scope = enclosing.scope;
  location.role = role;
  location.origin = op.def == &ops::op_composite ? op.attributes.string("name") : op.def->name;
  return location;
}

std::string describe(const ir::Value& value) {
  const std::string type = ir::to_string(value.type);
  if (!value.name.empty()) return fmt::format("{} ({})", value.name, type);
  if (value.definer) return fmt::format("the result of {} ({})", value.definer->def->name, type);
  return fmt::format("an argument ({})", type);
}

SourceLine line_of(const ir::Value& value) {
  return value.definer ? value.definer->location->line : SourceLine{};
}

void require_floating(std::span<ir::Value* const> values, const std::string& what) {
  for (const ir::Value* value : values)
    if (!is_float(value->type.dtype))
      throw Error(fmt::format("{} {}: only floating tensors have gradients", what, describe(*value)), line_of(*value));
}

ir::Value* find_argument(const ir::Function& function, const std::string& name, const std::string& what) {
  for (const auto& argument : function.body.arguments)
    if (argument->name == name) return argument.get();
  std::vector<std::string> names;
  for (const auto& argument : function.body.arguments) names.push_back(argument->name);
  throw Error(fmt::format("{}: {} has no argument {}; there are: {}", what, function.name, name, joined(names)));
}

ir::Value* find_result(const ir::Function& function, const std::string& name, const std::string& what) {
  for (std::size_t i = 0; i < function.results.size(); ++i)
    if (function.results[i].name == name) return function.body.results[i];
  std::vector<std::string> names;
  for (const ir::FunctionResult& result : function.results) names.push_back(result.name);
  throw Error(fmt::format("{}: {} has no result {}; there are: {}", what, function.name, name, joined(names)));
}

std::vector<ir::Value*> find_arguments(const ir::Function& function, const std::vector<std::string>& names,
                                       const std::string& what) {
  std::vector<ir::Value*> values;
  std::unordered_map<std::string_view, ir::Value*> by_name;
  for (const auto& argument : function.body.arguments) by_name.emplace(argument->name, argument.get());
  for (const std::string& name : names) {
    const auto found = by_name.find(name);
    values.push_back(found == by_name.end() ? find_argument(function, name, what) : found->second);
  }
  return values;
}

std::vector<ir::Value*> find_results(const ir::Function& function, const std::vector<std::string>& names,
                                     const std::string& what) {
  std::vector<ir::Value*> values;
  for (const std::string& name : names) values.push_back(find_result(function, name, what));
  return values;
}

}  // namespace pullback::autodiff
