#include "compiler/frontend/extract.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/ops/op_def.h"

namespace pullback::detail {

namespace {

using Values = std::unordered_set<const ir::Value*>;

// What `roots` depend on, themselves and arguments included. Ops of `body` are in order: one walk from the end.
Values dependencies(const ir::Region& body, const std::vector<const ir::Value*>& roots) {
  Values needed(roots.begin(), roots.end());
  for (auto op = body.ops.rbegin(); op != body.ops.rend(); ++op) {
    const auto& results = (*op)->results;
    if (std::any_of(results.begin(), results.end(), [&](const auto& r) { return needed.contains(r.get()); }))
      needed.insert((*op)->operands.begin(), (*op)->operands.end());
  }
  return needed;
}

class Extractor {
 public:
  Extractor(Trace& trace, const std::string& name, bool training) : trace_(trace), training_(training) {
    result_.function = std::make_unique<ir::Function>();
    result_.function->name = name;
  }

  Extraction run(const std::vector<NamedTensor>& outputs, const SourceLine& line) {
    std::vector<const ir::Value*> roots;
    for (const NamedTensor& output : outputs) roots.push_back(trace_.import(output.tensor, "output", line));
    if (training_)
      for (const StateTensor& state : trace_.state_tensors)
        if (state.update) roots.insert(roots.end(), {state.update, state.value});
    needed_ = dependencies(trace_.function().body, roots);
    keep_checks();
    if (needed_.contains(trace_.random_key)) needed_.insert(trace_.random_step);
    add_arguments(ir::ArgumentRole::input);
    add_arguments(ir::ArgumentRole::state);
    copy_ops();
    name_results(outputs);
    add_updates();
    return std::move(result_);
  }

 private:
  void keep_checks() {
    for (const auto& op : trace_.function().body.ops) {
      if (!op->def->traits.effectful) continue;
      const Values reads = dependencies(trace_.function().body, {op->operands.begin(), op->operands.end()});
      const bool kept = std::all_of(reads.begin(), reads.end(), [&](const ir::Value* v) {
        return v->definer || v == trace_.training || needed_.contains(v);
      });
      if (!kept) continue;
      needed_.insert(reads.begin(), reads.end());
      checks_.insert(op.get());
    }
  }

  void add_arguments(ir::ArgumentRole role) {
    const ir::Function& from = trace_.function();
    for (std::size_t i = 0; i < from.body.arguments.size(); ++i) {
      const ir::Value& argument = *from.body.arguments[i];
      if (from.roles[i] != role || !needed_.contains(&argument) || &argument == trace_.training) continue;
      result_.map[&argument] = result_.function->add_argument(argument.type, argument.name, role);
    }
  }

  void copy_ops() {
    ir::Builder builder(result_.function->body);
    if (needed_.contains(trace_.training))
      result_.map[trace_.training] = ops::scalar(builder, boolean, training_ ? 1 : 0).value;
    for (const auto& op : trace_.function().body.ops) {
      const bool wanted =
          checks_.contains(op.get()) ||
          std::any_of(op->results.begin(), op->results.end(), [&](const auto& r) { return needed_.contains(r.get()); });
      if (wanted) builder.copy(*op, result_.map);
    }
  }

  void name_results(const std::vector<NamedTensor>& outputs) {
    std::set<std::string> taken;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      std::string name = outputs[i].name.empty() ? outputs[i].tensor.name() : outputs[i].name;
      if (name.empty()) name = fmt::format("out{}", i);
      const std::string base = name;
      for (int n = 1; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", base, n);
      result_.function->add_result(result_.map.at(outputs[i].tensor.value()), name);
    }
  }

  void add_update(const ir::Value* state, ir::Value* value) {
    const ir::Value* argument = result_.map.at(state);
    result_.function->add_result(value, argument->name, static_cast<std::ptrdiff_t>(argument->index));
  }

  void add_updates() {
    if (needed_.contains(trace_.random_step)) {
      ir::Builder builder(result_.function->body);
      const ops::Value step(builder, result_.map.at(trace_.random_step));
      add_update(trace_.random_step, (step + 1.0).value);
    }
    if (!training_) return;
    for (const StateTensor& state : trace_.state_tensors)
      if (state.update) add_update(state.value, result_.map.at(state.update));
  }

  Trace& trace_;
  bool training_;
  Values needed_;
  std::set<const ir::Op*> checks_;
  Extraction result_;
};

}  // namespace

Extraction extract(Trace& trace, const std::string& name, const std::vector<NamedTensor>& outputs, bool training,
                   const SourceLine& line) {
  return Extractor(trace, name, training).run(outputs, line);
}

}  // namespace pullback::detail
