// Lowers a function region by region: groups become kernels over storages, cond becomes a branch; then the plan.
#include "compiler/lower/lower.h"

#include <algorithm>

#include "compiler/ir/kernel/verify.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/text.h"
#include "compiler/lower/access.h"
#include "compiler/lower/contraction.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"
#include "compiler/lower/plan.h"
#include "compiler/lower/prepare_convolutions.h"
#include "compiler/lower/split_reductions.h"
#include "compiler/lower/survey.h"
#include "compiler/ops/op_def.h"
#include "compiler/support/target.h"

namespace pullback::lower {
namespace {

class Lowerer {
 public:
  Lowerer(const ir::Function& function, const Target& target, const Options& options)
      : function_(function), options_(options), placement_(draft_) {
    loops_ = {target.vector_bytes, target.vector_registers, options.parallel};
    limits_.fuse = options.fuse;
  }

  schedule::Module run() {
    draft_.name = function_.name;
    add_slots();
    std::vector<std::ptrdiff_t> wanted(function_.body.results.size(), -1);
    draft_.items = lower_region(function_.body, wanted);
    for (std::size_t i = 0; i < function_.results.size(); ++i) deliver_result(i);
    schedule::Module module = plan(std::move(draft_), {options_.reuse_memory, loops_.vector_bytes});
    for (const auto& kernel : module.kernels) kernel::verify(*kernel, "lower");
    schedule::verify(module, "lower");
    return module;
  }

 private:
  void add_slots() {
    for (std::size_t i = 0; i < function_.body.arguments.size(); ++i) {
      const ir::Value& argument = *function_.body.arguments[i];
      const bool is_state = function_.roles[i] == ir::ArgumentRole::state;
      draft_.slots.push_back({argument.name, is_state ? schedule::SlotRole::state : schedule::SlotRole::input,
                              argument.type.dtype, dims_of(argument)});
      const std::size_t storage = draft_.add_storage(
          {argument.name, argument.type.dtype, count_of(argument), static_cast<std::ptrdiff_t>(i), nullptr});
      placement_.place(&argument, storage);
    }
  }

  void deliver_result(std::size_t i) {
    const ir::Value* value = function_.body.results[i];
    const ir::FunctionResult& result = function_.results[i];
    std::size_t slot = static_cast<std::size_t>(result.updates);
    if (result.updates < 0) {
      slot = draft_.slots.size();
      draft_.slots.push_back({result.name, schedule::SlotRole::output, value->type.dtype, dims_of(*value)});
    }
    draft_.deliveries.push_back({placement_.of(value), slot});
  }

  /// Items that compute the region. Result i lies in storage wanted[i] afterwards, or anywhere when that is -1.
  std::vector<Item> lower_region(const ir::Region& region, const std::vector<std::ptrdiff_t>& wanted) {
    Accesses accesses;
    const Grouping grouping = group(region, accesses, limits_);
    std::vector<std::pair<const ir::Value*, std::size_t>> copies;
    for (std::size_t i = 0; i < region.results.size(); ++i) {
      const ir::Value* result = region.results[i];
      if (wanted[i] < 0) continue;
      if (grouping.is_anchor(result) && !placement_.has(result))
        placement_.place(result, static_cast<std::size_t>(wanted[i]));
      else
        copies.emplace_back(result, static_cast<std::size_t>(wanted[i]));
    }
    std::vector<Item> items;
    for (const Group& g : grouping.groups) lower_group(g, accesses, items);
    for (const auto& [value, storage] : copies)
      if (draft_.storages[storage].elements > 0)
        items.push_back({copy_unit(draft_, placement_.of(value), storage, loops_.vector_bytes), items.size()});
    return items;
  }

  void place_anchors(const Group& g) {
    for (const ir::Value* anchor : g.stored) {
      if (placement_.has(anchor)) continue;
      const std::string name = anchor->name.empty() ? anchor->definer->def->name : anchor->name;
      placement_.place(anchor, draft_.add_storage({name, anchor->type.dtype, count_of(*anchor), -1, nullptr}));
    }
  }

  void lower_group(const Group& g, Accesses& accesses, std::vector<Item>& items) {
    if (g.kind == Group::Kind::control) return lower_control(*g.op, items);
    place_anchors(g);
    Group kept = g;  // what has no elements needs no kernel
    std::erase_if(kept.stored, [](const ir::Value* v) { return count_of(*v) == 0; });
    if (kept.stored.empty()) return;
    Unit unit;
    switch (g.kind) {
      case Group::Kind::elementwise:
        write_elementwise(kept, unit, placement_, loops_);
        break;
      case Group::Kind::rows:
        write_rows(kept, unit, placement_, loops_);
        break;
      case Group::Kind::contraction:
        write_contraction(kept, unit, placement_, accesses, loops_);
        break;
      case Group::Kind::kernel:
        write_own_kernel(*g.op, unit);
        break;
      case Group::Kind::control:
        break;
    }
    unit.kernel.name = kernel_name(unit.what);
    items.push_back({std::move(unit), items.size()});
  }

  void write_own_kernel(const ir::Op& op, Unit& unit) {
    if (!op.def->kernel)
      throw Error(op.def->name + ": cannot be compiled" + (op.def->control ? "" : ": it has no lowering"),
                  op.location.line);
    for (const auto& result : op.results)
      if (!placement_.has(result.get()))
        placement_.place(result.get(), draft_.add_storage({op.def->name, result->type.dtype, count_of(*result)}));
    Emitter emitter(unit, placement_, loops_.vector_bytes, {});
    write_kernel(op, emitter);
    run_in_parallel(unit.kernel);
  }

  /// Makes the one outer loop of a kernel parallel when its work is large.
  void run_in_parallel(kernel::Kernel& kernel) const {
    if (!options_.parallel || kernel.body.statements.size() != 1) return;
    auto* loop = std::get_if<std::unique_ptr<kernel::Loop>>(&kernel.body.statements.front());
    if (!loop || (*loop)->kind != kernel::LoopKind::serial || !(*loop)->carried.empty()) return;
    if (survey(kernel).work > kParallelWork) (*loop)->kind = kernel::LoopKind::parallel;
  }

  /// The first ops of the kernel, as a symbol.
  static std::string kernel_name(const std::string& what) {
    std::string name = what.substr(0, 40);
    if (what.size() > 40) name = name.substr(0, name.rfind('+'));
    std::replace(name.begin(), name.end(), '+', '_');
    return name;
  }

  void lower_control(const ir::Op& op, std::vector<Item>& items) {
    if (op.def->name == "check") return lower_check(op, items);
    if (op.def->name == "cond") return lower_cond(op, items);
    throw InternalError("lower: " + ir::print(op) + " should have been removed by a pass");
  }

  void lower_check(const ir::Op& op, std::vector<Item>& items) {
    schedule::CheckInfo info{op.attributes.string("message"), op.location.line, {}};
    for (std::size_t i = 1; i < op.operands.size(); ++i) info.witnesses.push_back(placement_.of(op.operand(i)));
    items.push_back({CheckItem{placement_.of(op.operand(0)), draft_.checks.size()}, items.size()});
    draft_.checks.push_back(std::move(info));
  }

  void lower_cond(const ir::Op& op, std::vector<Item>& items) {
    std::vector<std::ptrdiff_t> wanted;
    for (const auto& result : op.results) {
      if (!placement_.has(result.get())) {
        const std::string name = result->name.empty() ? op.def->name : result->name;
        placement_.place(result.get(), draft_.add_storage({name, result->type.dtype, count_of(*result), -1, nullptr}));
      }
      wanted.push_back(static_cast<std::ptrdiff_t>(placement_.of(result.get())));
    }
    BranchItem branch{placement_.of(op.operand(0)), {}, {}};
    for (std::size_t side = 0; side < 2; ++side) {
      const ir::Region& region = *op.regions[side];
      for (std::size_t i = 0; i < region.arguments.size(); ++i)
        placement_.place(region.arguments[i].get(), placement_.of(op.operand(i + 1)));
      (side == 0 ? branch.then_items : branch.else_items) = lower_region(region, wanted);
    }
    items.push_back({std::move(branch), items.size()});
  }

  const ir::Function& function_;
  const Options& options_;
  Draft draft_;
  Placement placement_;
  LoopOptions loops_;
  GroupLimits limits_;
};

}  // namespace

schedule::Module lower(const ir::Function& function, const Target& target, const Options& options) {
  const std::unique_ptr<ir::Function> prepared = ir::clone(function);
  bool changed = split_reductions(*prepared);
  changed |= prepare_convolutions(*prepared, target.vector_bytes);
  if (changed) ir::remove_unread_ops(prepared->body);
  return Lowerer(*prepared, target, options).run();
}

}  // namespace pullback::lower
