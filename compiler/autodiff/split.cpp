// Splitting a vector-Jacobian product into the forward function, which also returns what backward needs, and the
// backward function, which takes it.
#include <fmt/format.h>

#include <unordered_set>

#include "compiler/autodiff/gradient.h"
#include "compiler/autodiff/reverse.h"
#include "compiler/autodiff/step.h"
#include "compiler/ir/prune.h"
#include "compiler/ops/op_def.h"

namespace pullback::autodiff {
namespace {

/// Forward and backward in one function: ops before `first_backward` are forward.
struct Joint {
  std::unique_ptr<ir::Function> function;
  std::size_t first_backward = 0;
  std::size_t first_cotangent = 0;  ///< position of the first cotangent argument
  std::vector<ir::Value*> outputs, derivatives;
};

Joint join(const ir::Function& traced, const std::vector<std::string>& outputs, const std::vector<std::string>& wrt,
           std::vector<std::string>& independent) {
  Joint joint;
  joint.function = ir::clone(traced);
  ir::Function& f = *joint.function;
  joint.outputs = find_results(f, outputs, "backward");
  const std::vector<ir::Value*> wrt_values = find_arguments(f, wrt, "backward");
  joint.first_backward = f.body.ops.size();
  joint.first_cotangent = f.body.arguments.size();
  std::vector<ir::Value*> cotangents;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    cotangents.push_back(f.add_argument(joint.outputs[i]->type, "d." + outputs[i]));
  ir::Builder builder(f.body);
  std::vector<std::size_t> positions;
  joint.derivatives = gradients(builder, joint.outputs, cotangents, wrt_values, &positions);
  for (const std::size_t i : positions) independent.push_back(wrt[i]);
  return joint;
}

/// What the backward function computes, and what it is given.
struct Partition {
  std::unordered_set<const ir::Op*> in_backward;  ///< forward ops here are recomputed
  std::vector<ir::Value*> saved;                  ///< in the order of the forward ops
};

/// Walks back from the derivatives. A forward op that is cheap is computed again, any other value is saved.
Partition partition(const Joint& joint) {
  Partition result;
  std::unordered_set<const ir::Value*> needed(joint.derivatives.begin(), joint.derivatives.end());
  const auto& ops = joint.function->body.ops;
  for (std::size_t i = ops.size(); i-- > 0;) {
    bool is_needed = false;
    for (const auto& r : ops[i]->results) is_needed = is_needed || needed.contains(r.get());
    if (!is_needed) continue;
    const bool recompute = i >= joint.first_backward || ops[i]->def->traits.cheap || ops[i]->operands.empty();
    if (recompute) {
      result.in_backward.insert(ops[i].get());
      needed.insert(ops[i]->operands.begin(), ops[i]->operands.end());
      continue;
    }
    for (std::size_t k = ops[i]->results.size(); k-- > 0;)
      if (needed.contains(ops[i]->result(k))) result.saved.push_back(ops[i]->result(k));
  }
  result.saved = {result.saved.rbegin(), result.saved.rend()};
  return result;
}

std::vector<std::string> saved_names(const std::vector<ir::Value*>& saved) {
  std::vector<std::string> names;
  std::unordered_set<std::string> taken;
  for (const ir::Value* value : saved) {
    const std::string base = "saved." + (value->name.empty() ? value->definer->def->name : value->name);
    std::string name = base;
    for (int i = 1; !taken.insert(name).second; ++i) name = fmt::format("{}.{}", base, i);
    names.push_back(name);
  }
  return names;
}

/// An empty function with copies of the first `count` arguments of `from`.
std::unique_ptr<ir::Function> with_arguments(const ir::Function& from, std::size_t count, ir::ValueMap& map) {
  auto f = std::make_unique<ir::Function>();
  for (std::size_t i = 0; i < count; ++i) {
    const ir::Value& argument = *from.body.arguments[i];
    map[&argument] = f->add_argument(argument.type, argument.name, from.roles[i]);
  }
  return f;
}

}  // namespace

Split split_gradient(const ir::Function& traced, const std::string& name, const std::vector<std::string>& outputs,
                     const std::vector<std::string>& wrt) {
  Split split;
  const Joint joint = join(traced, outputs, wrt, split.independent);
  const auto& ops = joint.function->body.ops;
  const Partition parts = partition(joint);
  split.saved = saved_names(parts.saved);

  ir::ValueMap map;
  split.forward = with_arguments(*joint.function, joint.first_cotangent, map);
  split.forward->name = name + ".forward";
  ir::Builder forward(split.forward->body);
  for (std::size_t i = 0; i < joint.first_backward; ++i) forward.copy(*ops[i], map);
  for (std::size_t i = 0; i < outputs.size(); ++i) split.forward->add_result(map.at(joint.outputs[i]), outputs[i]);
  for (std::size_t i = 0; i < parts.saved.size(); ++i)
    split.forward->add_result(map.at(parts.saved[i]), split.saved[i]);
  ir::keep_needed(*split.forward);

  map = {};
  split.backward = with_arguments(*joint.function, joint.function->body.arguments.size(), map);
  split.backward->name = name + ".backward";
  for (std::size_t i = 0; i < parts.saved.size(); ++i)
    map[parts.saved[i]] = split.backward->add_argument(parts.saved[i]->type, split.saved[i]);
  ir::Builder backward(split.backward->body);
  for (const auto& op : ops)
    if (parts.in_backward.contains(op.get())) backward.copy(*op, map);
  for (std::size_t i = 0; i < wrt.size(); ++i) split.backward->add_result(map.at(joint.derivatives[i]), "d." + wrt[i]);
  ir::keep_needed(*split.backward);
  return split;
}

}  // namespace pullback::autodiff
