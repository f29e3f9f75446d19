// Lowers a function region by region: groups become kernels over storages, cond becomes a branch, scan and while become
// loops; then the plan.
#include "compiler/lower/lower.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "compiler/ir/kernel/verify.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ir/text.h"
#include "compiler/lower/access.h"
#include "compiler/lower/carries.h"
#include "compiler/lower/contraction.h"
#include "compiler/lower/emitter.h"
#include "compiler/lower/group.h"
#include "compiler/lower/loops.h"
#include "compiler/lower/pack_invariants.h"
#include "compiler/lower/parallelism.h"
#include "compiler/lower/plan.h"
#include "compiler/lower/prepare_convolutions.h"
#include "compiler/lower/recompute.h"
#include "compiler/lower/separate_results.h"
#include "compiler/lower/signature.h"
#include "compiler/lower/sink_into_scans.h"
#include "compiler/lower/split_products.h"
#include "compiler/lower/split_reductions.h"
#include "compiler/lower/survey.h"
#include "compiler/lower/view.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/scan.h"
#include "compiler/support/target.h"

namespace pullback::lower {
namespace {

class Lowerer {
 public:
  Lowerer(const ir::Function& function, const Target& target, const Options& options)
      : function_(function), target_(target), options_(options), placement_(draft_) {
    loops_ = {target.vector_bytes, target.vector_registers, options.threads != Threads::one,
              target.second_level, target.has_bf16_dot,     &options.schedules};
    limits_.fuse = options.fuse;
    limits_.join_contractions = options.memory_limit == 0;
    limits_.image_bytes = target.second_level / 2;
  }

  /// What is known of the function's body.
  struct Known {
    Grouping grouping;
    Accesses accesses;
  };
  /// `known`, which must stay, is how the body is grouped.
  void use(Known& known) {
    known_ = &known;
    forms_ = known.accesses.forms();
  }

  /// Writes the kernels.
  void write() {
    draft_.name = function_.name;
    add_slots();
    std::vector<std::ptrdiff_t> wanted(function_.body.results.size(), -1);
    draft_.items = lower_region(function_.body, wanted);
    for (std::size_t i = 0; i < function_.results.size(); ++i) deliver_result(i);
  }

  bool is_worth_threads() const { return lower::is_worth_threads(draft_, target_); }

  /// Orders what is written and places it in memory.
  schedule::Module finish() {
    schedule::Module module = plan(std::move(draft_), {options_.reuse_memory, loops_.vector_bytes});
    for (const auto& kernel : module.kernels) kernel::verify(*kernel, "lower");
    schedule::verify(module, "lower");
    return module;
  }

 private:
  using Uses = std::unordered_map<const ir::Value*, int>;

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
    std::optional<Known> found;
    const bool is_known = known_ && &region == &function_.body;
    if (!is_known) {
      found.emplace(Grouping{}, Accesses(forms_));
      found->grouping = group(region, found->accesses, limits_);
    }
    const Grouping& grouping = is_known ? known_->grouping : found->grouping;
    Accesses& accesses = is_known ? known_->accesses : found->accesses;
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
    const bool has_loops = std::any_of(grouping.groups.begin(), grouping.groups.end(), [](const Group& g) {
      return g.kind == Group::Kind::control && !g.op->regions.empty();
    });
    const Uses uses = has_loops ? ir::use_counts(region) : Uses{};
    for (const Group& g : grouping.groups) {
      if (g.kind == Group::Kind::control)
        lower_control(*g.op, uses, items);
      else
        lower_group(g, accesses, items);
    }
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

  /// Is the group a result of the function whose elements lie in memory already, as those of another value? Then it
  /// needs no kernel.
  bool is_in_place(const Group& g, Accesses& accesses) {
    if (g.kind != Group::Kind::elementwise || g.anchors.size() != 1) return false;
    const ir::Value* anchor = g.anchors.front();
    const auto& results = function_.body.results;
    if (placement_.has(anchor) || count_of(*anchor) == 0) return false;
    if (std::find(results.begin(), results.end(), anchor) == results.end()) return false;
    const ir::Value* same = value_in_place(*anchor, accesses, [&](const ir::Value& v) { return placement_.has(&v); });
    if (!same) return false;
    const std::size_t storage = placement_.of(same);
    const Storage& memory = draft_.storages[storage];
    if (memory.slot >= 0 || memory.base >= 0 || memory.alias >= 0) return false;
    placement_.place(anchor, storage);
    return true;
  }

  void lower_group(const Group& g, Accesses& accesses, std::vector<Item>& items) {
    if (is_in_place(g, accesses)) return;
    place_anchors(g);
    Group kept = g;  // what has no elements needs no kernel
    std::erase_if(kept.stored, [](const ir::Value* v) { return count_of(*v) == 0; });
    if (kept.stored.empty()) return;
    if (g.kind == Group::Kind::kernel) place_results(*g.op);
    std::optional<Signature> signature;
    if (options_.share_kernels) signature = signature_of(kept, placement_, *forms_);
    Unit unit;
    const auto known = signature ? written_.find(signature->key) : written_.end();
    if (known != written_.end()) {
      borrow(known->second, *signature, unit);
    } else {
      write_kernel_of(kept, unit, accesses);
      if (signature) keep(unit, std::move(*signature));
    }
    describe(unit);
    if (!unit.borrowed) unit.kernel->name = kernel_name(unit.what);
    items.push_back({std::move(unit), items.size()});
  }

  void write_kernel_of(const Group& g, Unit& unit, Accesses& accesses) {
    switch (g.kind) {
      case Group::Kind::elementwise:
        return write_elementwise(g, unit, placement_, loops_);
      case Group::Kind::rows:
        return write_rows(g, unit, placement_, loops_);
      case Group::Kind::contraction:
        return write_contraction(g, unit, placement_, accesses, loops_);
      case Group::Kind::kernel:
        return write_own_kernel(*g.op, accesses, unit);
      case Group::Kind::control:
        return;
    }
  }

  /// A kernel that was written, and what its parameters and ops are in the signature of its group.
  struct Written {
    std::shared_ptr<kernel::Kernel> kernel;
    std::vector<std::size_t> places, ops;
  };

  /// Keeps the unit's kernel for groups with the same signature.
  void keep(const Unit& unit, Signature signature) {
    Written written{unit.kernel, {}, {}};
    for (const std::size_t storage : unit.storages) {
      const auto place = std::find_if(signature.places.begin(), signature.places.end(),
                                      [&](const ir::Value* v) { return placement_.find(*v) == storage; });
      if (place == signature.places.end())
        throw InternalError("lower: the signature of " + unit.ops.front()->def->name + " misses a storage");
      written.places.push_back(static_cast<std::size_t>(place - signature.places.begin()));
    }
    for (const ir::Op* op : unit.ops) {
      const auto position = std::find(signature.ops.begin(), signature.ops.end(), op);
      if (position == signature.ops.end())
        throw InternalError("lower: the signature of " + unit.ops.front()->def->name + " misses " + op->def->name);
      written.ops.push_back(static_cast<std::size_t>(position - signature.ops.begin()));
    }
    written_.emplace(std::move(signature.key), std::move(written));
  }

  /// The kernel of an equal group, over the storages of this one.
  void borrow(const Written& written, const Signature& signature, Unit& unit) {
    unit.kernel = written.kernel;
    unit.borrowed = true;
    for (const std::size_t place : written.places) unit.storages.push_back(placement_.of(signature.places[place]));
    for (const std::size_t op : written.ops) unit.ops.push_back(signature.ops[op]);
  }

  /// The names and lines of the unit's ops, for dumps.
  static void describe(Unit& unit) {
    for (const ir::Op* op : unit.ops) {
      if (!unit.what.empty()) unit.what += "+";
      unit.what += op->def->name;
      const SourceLine& line = op->location->line;
      if (line.known() && std::find(unit.lines.begin(), unit.lines.end(), line) == unit.lines.end())
        unit.lines.push_back(line);
    }
  }

  void place_results(const ir::Op& op) {
    for (const auto& result : op.results)
      if (!placement_.has(result.get()))
        placement_.place(result.get(), draft_.add_storage({op.def->name, result->type.dtype, count_of(*result)}));
  }

  void write_own_kernel(const ir::Op& op, Accesses& accesses, Unit& unit) {
    if (!op.def->kernel)
      throw Error(op.def->name + ": cannot be compiled" + (op.def->control ? "" : ": it has no lowering"),
                  op.location->line);
    Emitter emitter(unit, placement_, loops_.vector_bytes, {});
    write_kernel(op, emitter, accesses, {loops_.vector_bytes, loops_.vector_registers});
    run_in_parallel(*unit.kernel);
  }

  /// Makes the one outer loop of a kernel parallel when its work is large.
  void run_in_parallel(kernel::Kernel& kernel) const {
    if (!loops_.parallel || kernel.body.statements.size() != 1) return;
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

  void lower_control(const ir::Op& op, const Uses& uses, std::vector<Item>& items) {
    if (op.def->name == "check") return lower_check(op, items);
    if (op.def->name == "cond") return lower_cond(op, items);
    if (op.def->name == "scan") return lower_scan(op, uses, items);
    if (op.def->name == "while") return lower_while(op, uses, items);
    if (op.def->name == "optimization_barrier") return lower_barrier(op, items);
    throw InternalError("lower: " + ir::print(op) + " should have been removed by a pass");
  }

  std::size_t new_storage(const ir::Value& value, const std::string& fallback_name) {
    const std::string name = value.name.empty() ? fallback_name : value.name;
    return draft_.add_storage({name, value.type.dtype, count_of(value)});
  }

  void add_copy(std::size_t from, std::size_t to, std::vector<Item>& items) {
    if (draft_.storages[from].elements > 0)
      items.push_back({copy_unit(draft_, from, to, loops_.vector_bytes), items.size()});
  }

  /// Where a result of a control op lies: where it is wanted, or anywhere.
  std::size_t place_result(const ir::Value& result) {
    if (!placement_.has(&result)) placement_.place(&result, new_storage(result, result.definer->def->name));
    return placement_.of(&result);
  }

  /// Makes a result that is known to be in `storage` already the value of `result`.
  void settle_result(const ir::Value& result, std::size_t storage, std::vector<Item>& items) {
    if (placement_.has(&result))
      add_copy(storage, placement_.of(&result), items);
    else
      placement_.place(&result, storage);
  }

  void lower_barrier(const ir::Op& op, std::vector<Item>& items) {
    for (const auto& result : op.results) settle_result(*result, placement_.of(op.operand(result->index)), items);
  }

  /// A value that stays where it is while loops run, to be looked at when a check has failed.
  std::size_t witness(const ir::Value* value, std::vector<Item>& items) {
    const std::size_t storage = placement_.of(value);
    if (!draft_.moves(storage)) return storage;
    const std::size_t kept = new_storage(*value, "witness");
    add_copy(storage, kept, items);
    return kept;
  }

  void lower_check(const ir::Op& op, std::vector<Item>& items) {
    schedule::CheckInfo info{op.attributes.string("message"), op.location->line, {}};
    for (std::size_t i = 1; i < op.operands.size(); ++i) info.witnesses.push_back(witness(op.operand(i), items));
    items.push_back({CheckItem{placement_.of(op.operand(0)), draft_.checks.size()}, items.size()});
    draft_.checks.push_back(std::move(info));
  }

  void lower_cond(const ir::Op& op, std::vector<Item>& items) {
    std::vector<std::ptrdiff_t> wanted;
    for (const auto& result : op.results) wanted.push_back(static_cast<std::ptrdiff_t>(place_result(*result)));
    BranchItem branch{placement_.of(op.operand(0)), {}, {}};
    for (std::size_t side = 0; side < 2; ++side) {
      const ir::Region& region = *op.regions[side];
      for (std::size_t i = 0; i < region.arguments.size(); ++i)
        placement_.place(region.arguments[i].get(), placement_.of(op.operand(i + 1)));
      (side == 0 ? branch.then_items : branch.else_items) = lower_region(region, wanted);
    }
    items.push_back({std::move(branch), items.size()});
  }

  /// The carries of a loop, operands and arguments 0, 1, ...
  std::vector<Carry> new_carries(const ir::Op& op, const ir::Region& body, std::size_t count, const Uses& uses) {
    std::vector<Carry> carries;
    for (std::size_t i = 0; i < count; ++i) {
      const ir::Value& operand = *op.operand(i);
      Carry carry{placement_.of(&operand)};
      const Storage& initial = draft_.storages[carry.initial];
      carry.initial_is_free = uses.at(&operand) == 1 && operand.definer && !operand.definer->def->control &&
                              initial.slot < 0 && initial.base < 0 && initial.alias < 0;
      carry.before = new_storage(*body.arguments[i], "carry");
      carry.after = new_storage(*body.arguments[i], "carry");
      placement_.place(body.arguments[i].get(), carry.before);
      carries.push_back(carry);
    }
    return carries;
  }

  /// Slice i of a stacked storage, in iteration i of the loop.
  std::size_t slice_of(std::size_t stacked, const ir::Value& slice, const LoopItem& loop, bool reverse) {
    const std::int64_t count = count_of(slice);
    const std::int64_t bytes = count * static_cast<std::int64_t>(size_of(slice.type.dtype));
    const std::string name = draft_.storages[stacked].name + ".slice";
    if (reverse) return draft_.add_view(name, stacked, count, (loop.trips - 1) * bytes, {{loop.id, -bytes, false}});
    return draft_.add_view(name, stacked, count, 0, {{loop.id, bytes, false}});
  }

  /// Carries whose values are stacked lie in that stack: each iteration reads one and writes the next. Tells which
  /// results of the scan those are.
  std::vector<bool> keep_histories(const ir::Op& op, const LoopItem& loop, bool reverse, std::vector<Carry>& carries) {
    std::vector<bool> kept(op.results.size());
    std::vector<std::optional<History>> histories(carries.size());
    const auto& delivered = function_.body.results;
    for (std::size_t i = 0; i < op.results.size(); ++i) {
      const ir::Value* result = op.result(i);
      const std::optional<StackedCarry> stacked = stacked_carry(op, i);
      // What goes to the caller is better written there.
      if (!stacked || placement_.has(result) ||
          std::find(delivered.begin(), delivered.end(), result) != delivered.end())
        continue;
      std::optional<History>& history = histories[stacked->carry];
      Carry& carry = carries[stacked->carry];
      if (!history) {
        history = add_history(draft_, draft_.storages[carry.before], loop, reverse);
        carry = {carry.initial, carry.initial_is_free, history->before, history->after, history->last,
                 true,          history->first};
        placement_.place(op.regions.front()->arguments[stacked->carry].get(), carry.before);
      }
      placement_.place(result, stacked->after ? history->afters : history->befores);
      kept[i] = true;
    }
    return kept;
  }

  void lower_scan(const ir::Op& op, const Uses& uses, std::vector<Item>& items) {
    const ops::ScanLayout layout(op);
    const ir::Region& body = *op.regions.front();
    LoopItem loop{draft_.loops, layout.length.constant(), -1, {}, {}};
    if (loop.trips == 0) {
      for (std::size_t i = 0; i < op.results.size(); ++i) {
        const std::size_t result = place_result(*op.result(i));
        if (layout.is_carry(i)) add_copy(placement_.of(op.operand(i)), result, items);
      }
      return;
    }
    ++draft_.loops;
    std::vector<Carry> carries = new_carries(op, body, layout.carries, uses);
    for (std::size_t i = layout.carries; i < layout.arguments(); ++i) {
      const ir::Value& argument = *body.arguments[i];
      const std::size_t operand = placement_.of(op.operand(i));
      placement_.place(&argument, layout.is_slice(i) ? slice_of(operand, argument, loop, layout.reverse) : operand);
    }
    const std::vector<bool> kept = keep_histories(op, loop, layout.reverse, carries);
    std::vector<std::ptrdiff_t> wanted;
    for (const Carry& carry : carries) wanted.push_back(static_cast<std::ptrdiff_t>(carry.after));
    for (std::size_t i = layout.carries; i < op.results.size(); ++i) {
      if (kept[i]) {
        wanted.push_back(-1);
        continue;
      }
      const std::size_t stacked = place_result(*op.result(i));
      wanted.push_back(static_cast<std::ptrdiff_t>(slice_of(stacked, *body.results[i], loop, layout.reverse)));
    }
    loop.body = lower_region(body, wanted);
    append_loop(draft_, std::move(loop), carries, loops_.vector_bytes, items);
    for (std::size_t i = 0; i < carries.size(); ++i) settle_result(*op.result(i), carries[i].last, items);
  }

  void lower_while(const ir::Op& op, const Uses& uses, std::vector<Item>& items) {
    const ir::Region &condition = *op.regions[0], &body = *op.regions[1];
    LoopItem loop{draft_.loops++, 0, -1, {}, {}};
    std::vector<Carry> carries = new_carries(op, body, op.results.size(), uses);
    for (std::size_t i = 0; i < body.arguments.size(); ++i) {
      if (i >= carries.size()) placement_.place(body.arguments[i].get(), placement_.of(op.operand(i)));
      placement_.place(condition.arguments[i].get(), placement_.of(body.arguments[i].get()));
    }
    loop.predicate = static_cast<std::ptrdiff_t>(draft_.add_storage({"go_on", DType::boolean, 1}));
    loop.condition = lower_region(condition, {loop.predicate});
    std::vector<std::ptrdiff_t> wanted;
    for (const Carry& carry : carries) wanted.push_back(static_cast<std::ptrdiff_t>(carry.after));
    loop.body = lower_region(body, wanted);
    append_loop(draft_, std::move(loop), carries, loops_.vector_bytes, items);
    for (std::size_t i = 0; i < carries.size(); ++i) settle_result(*op.result(i), carries[i].last, items);
  }

  const ir::Function& function_;
  const Target& target_;
  const Options& options_;
  Draft draft_;
  Placement placement_;
  std::unordered_map<std::string, Written> written_;  ///< kernels by the signatures of their groups
  LoopOptions loops_;
  GroupLimits limits_;
  Known* known_ = nullptr;
  std::shared_ptr<FormNumbers> forms_ = std::make_shared<FormNumbers>();
};

/// Lowers what is prepared. A step that is not worth several threads is written again for one: kernels to be shared are
/// cut into more parts than one thread likes.
schedule::Module write_and_plan(const ir::Function& function, const Target& target, Options options,
                                Lowerer::Known* known) {
  for (;;) {
    Lowerer lowerer(function, target, options);
    if (known) lowerer.use(*known);
    lowerer.write();
    if (options.threads != Threads::where_worth || lowerer.is_worth_threads()) return lowerer.finish();
    options.threads = Threads::one;
  }
}

}  // namespace

schedule::Module lower(const ir::Function& function, const Target& target, const Options& options) {
  return lower(ir::clone(function), target, options);
}

schedule::Module lower(std::unique_ptr<ir::Function> prepared, const Target& target, const Options& options) {
  bool changed = split_products(*prepared);
  changed |= split_reductions(*prepared);
  changed |= prepare_convolutions(*prepared, target.vector_bytes, options.winograd);
  changed |= sink_into_scans(*prepared, target);
  changed |= pack_invariants(*prepared, target);
  if (changed) ir::remove_unread_ops(prepared->body);
  separate_results(prepared->body);
  std::optional<Lowerer::Known> known;
  if (options.fuse && options.reuse_memory) {
    Accesses accesses;
    if (std::optional<Grouping> grouping = recompute_cheap(*prepared, accesses))
      known = {std::move(*grouping), std::move(accesses)};
  }
  if (options.memory_limit > 0)
    return limit_memory(*prepared, options.memory_limit,
                        [&](const ir::Function& f) { return write_and_plan(f, target, options, nullptr); });
  return write_and_plan(*prepared, target, options, known ? &*known : nullptr);
}

}  // namespace pullback::lower
