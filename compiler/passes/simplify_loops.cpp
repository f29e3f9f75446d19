// A scan computes in each iteration what differs from iteration to iteration, and carries, reads and stacks what
// somebody reads. Differentiation leaves the rest: residuals of gradients that nobody wanted, transposes of weights,
// zeros and other numbers that are handed in.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/build.h"
#include "compiler/ops/scan.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

using Uses = std::unordered_map<const ir::Value*, int>;
using Values = std::unordered_set<const ir::Value*>;

/// How often values are read, in all regions.
void count_uses(const ir::Region& region, Uses& uses) {
  uses.merge(ir::use_counts(region));
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) count_uses(*nested, uses);
}

bool has_scan(const ir::Region& region) {
  return std::any_of(region.ops.begin(), region.ops.end(), [](const auto& op) {
    return op->def == &ops::op_scan ||
           std::any_of(op->regions.begin(), op->regions.end(), [](const auto& nested) { return has_scan(*nested); });
  });
}

class LoopSimplifier {
 public:
  LoopSimplifier(ir::Op& op, ir::Builder& builder, const Uses& uses)
      : op_(op), outer_(builder), uses_(uses), layout_(op), body_(*op.regions.front()), inner_(*region_) {
    inner_.location = op.location;
  }

  std::vector<ir::Value*> run() {
    find_live_results();
    find_invariant();
    for (std::size_t i = 0; i < layout_.arguments(); ++i) plan_argument(i);
    find_hoisted();
    if (!changed_) return {};
    return build();
  }

 private:
  enum class Fate : std::uint8_t { keep, drop, invariant, number, broadcast };

  const ir::Value* argument(std::size_t i) const { return body_.arguments[i].get(); }
  ir::Value* operand(std::size_t i) const { return op_.operand(i); }
  bool passes_unchanged(std::size_t carry) const { return body_.results[carry] == argument(carry); }

  /// A result is live when it is read, a carry also when a live result depends on it.
  void find_live_results() {
    live_.resize(op_.results.size());
    for (std::size_t i = 0; i < live_.size(); ++i) live_[i] = uses_.contains(op_.result(i));
    for (bool grows = true; grows;) {
      grows = false;
      needed_.clear();
      for (std::size_t i = 0; i < live_.size(); ++i)
        if (live_[i]) needed_.insert(body_.results[i]);
      for (std::size_t k = body_.ops.size(); k-- > 0;) {
        const ir::Op& op = *body_.ops[k];
        const bool read =
            std::any_of(op.results.begin(), op.results.end(), [&](const auto& r) { return needed_.contains(r.get()); });
        if (read || ir::has_effect(op)) needed_.insert(op.operands.begin(), op.operands.end());
      }
      for (std::size_t i = 0; i < layout_.carries; ++i)
        if (!live_[i] && needed_.contains(argument(i))) grows = live_[i] = true;
    }
    changed_ = std::find(live_.begin(), live_.end(), false) != live_.end();
  }

  /// The same in all iterations: arguments, and what is computed from nothing else.
  void find_invariant() {
    for (std::size_t i = 0; i < layout_.arguments(); ++i)
      if (layout_.is_invariant(i) || (layout_.is_carry(i) && passes_unchanged(i)) || broadcast_slices(i))
        invariant_.insert(argument(i));
    for (const auto& op : body_.ops)
      if (!ir::has_effect(*op) && op->def != &ops::op_barrier &&
          std::all_of(op->operands.begin(), op->operands.end(), [&](auto* v) { return invariant_.contains(v); }))
        for (const auto& result : op->results) invariant_.insert(result.get());
  }

  /// The broadcast that makes all slices of operand i equal, or null.
  const ir::Op* broadcast_slices(std::size_t i) const {
    if (!layout_.is_slice(i)) return nullptr;
    const ir::Op* broadcast = made_by(operand(i), ops::op_broadcast);
    if (!broadcast || contains(broadcast->attributes.integers("dimensions"), 0)) return nullptr;
    return broadcast;
  }

  void plan_argument(std::size_t i) {
    Fate fate = Fate::keep;
    if (layout_.is_carry(i)) {
      if (!live_[i]) fate = Fate::drop;
      if (passes_unchanged(i)) fate = Fate::invariant;
    } else if (!needed_.contains(argument(i))) {
      fate = Fate::drop;
    } else if (layout_.is_invariant(i) && splat_of(operand(i))) {
      fate = Fate::number;
    } else if (broadcast_slices(i)) {
      fate = Fate::broadcast;
    }
    // A repeated operand is read once.
    const auto first = layout_.is_slice(i) ? layout_.carries : layout_.first_invariant();
    for (std::size_t k = first; k < i && !layout_.is_carry(i); ++k)
      changed_ |= fates_[k] == Fate::keep && operand(k) == operand(i);
    changed_ |= fate != Fate::keep;
    fates_.push_back(fate);
  }

  /// Invariant values that are worth a place in memory, computed before the loop. What is cheap stays where it is read.
  void find_hoisted() {
    for (const auto& op : body_.ops) {
      if (op->results.empty() || !invariant_.contains(op->result()) || op->operands.empty() || op->def->traits.cheap)
        continue;
      for (const auto& result : op->results) changed_ |= hoisted_.insert(result.get()).second;
    }
  }

  std::vector<ir::Value*> build() {
    for (std::size_t i = 0; i < layout_.carries; ++i)
      if (fates_[i] == Fate::keep) take(i, operands_.carries);
    for (std::size_t i = layout_.carries; i < layout_.first_invariant(); ++i)
      if (fates_[i] == Fate::keep) take(i, operands_.xs);
    for (std::size_t i = 0; i < layout_.arguments(); ++i) place_argument(i);
    hoist();
    for (const auto& op : body_.ops)
      if (!is_hoisted(*op)) inner_.copy(*op, map_);
    return replace_results();
  }

  /// Hands operand i in, once for each list.
  void take(std::size_t i, std::vector<ops::Value>& list) {
    if (!layout_.is_carry(i))
      if (ir::Value* known = find(list, operand(i))) {
        map_[argument(i)] = known;
        return;
      }
    list.emplace_back(outer_, operand(i));
    ir::Value* taken = region_->add_argument(argument(i)->type, argument(i)->name);
    map_[argument(i)] = taken;
    taken_[&list].push_back(taken);
  }

  ir::Value* find(const std::vector<ops::Value>& list, const ir::Value* value) {
    for (std::size_t k = 0; k < list.size(); ++k)
      if (list[k].value == value) return taken_[&list][k];
    return nullptr;
  }

  /// A value of the outer region, inside.
  ir::Value* bring_in(ir::Value* value) {
    if (ir::Value* known = find(operands_.invariants, value)) return known;
    operands_.invariants.emplace_back(outer_, value);
    taken_[&operands_.invariants].push_back(region_->add_argument(value->type, value->name));
    return taken_[&operands_.invariants].back();
  }

  void place_argument(std::size_t i) {
    switch (fates_[i]) {
      case Fate::keep:
        if (layout_.is_invariant(i)) map_[argument(i)] = bring_in(operand(i));
        break;
      case Fate::invariant:
        map_[argument(i)] = bring_in(operand(i));
        break;
      case Fate::number:
        map_[argument(i)] =
            ops::broadcast_scalar(ops::constant(inner_, *splat_of(operand(i))), argument(i)->type.shape).value;
        break;
      case Fate::broadcast: {
        const ir::Op& broadcast = *operand(i)->definer;
        ir::Integers dimensions = broadcast.attributes.integers("dimensions");
        for (std::int64_t& axis : dimensions) --axis;
        map_[argument(i)] =
            ops::broadcast({inner_, bring_in(broadcast.operand(0))}, argument(i)->type.shape, dimensions).value;
        break;
      }
      case Fate::drop:
        break;
    }
  }

  /// Computes invariant values outside; cheap ones too, which others need. What nobody reads there is removed later.
  void hoist() {
    if (hoisted_.empty()) return;
    ir::ValueMap outside;
    for (std::size_t i = 0; i < layout_.arguments(); ++i) {
      if (!invariant_.contains(argument(i))) continue;
      const ir::Op* broadcast = broadcast_slices(i);
      outside[argument(i)] = operand(i);
      if (!broadcast) continue;
      ir::Integers dimensions = broadcast->attributes.integers("dimensions");
      for (std::int64_t& axis : dimensions) --axis;
      outside[argument(i)] = ops::broadcast({outer_, broadcast->operand(0)}, argument(i)->type.shape, dimensions).value;
    }
    for (const auto& op : body_.ops) {
      if (op->results.empty() || !invariant_.contains(op->result())) continue;
      outer_.copy(*op, outside);
      for (const auto& result : op->results)
        if (hoisted_.contains(result.get()) && is_read_inside(result.get()))
          map_[result.get()] = bring_in(outside.at(result.get()));
    }
  }

  bool is_hoisted(const ir::Op& op) const { return !op.results.empty() && hoisted_.contains(op.result()); }

  bool is_read_inside(const ir::Value* value) const {
    if (std::find(body_.results.begin(), body_.results.end(), value) != body_.results.end()) return true;
    for (const auto& op : body_.ops)
      if (!is_hoisted(*op))
        for (const ir::Value* operand : op->operands)
          if (operand == value) return true;
    return false;
  }

  std::vector<ir::Value*> replace_results() {
    std::vector<std::ptrdiff_t> position(live_.size(), -1);
    for (std::size_t i = 0; i < live_.size(); ++i) {
      if (i < layout_.carries ? fates_[i] != Fate::keep : !live_[i]) continue;
      ir::Value* result = map_.at(body_.results[i]);
      auto known = region_->results.end();
      if (i >= layout_.carries)  // a value that is stacked twice is stacked once
        known =
            std::find(region_->results.begin() + static_cast<std::ptrdiff_t>(operands_.carries.size()), known, result);
      position[i] = known - region_->results.begin();
      if (known == region_->results.end()) region_->results.push_back(result);
    }
    ir::remove_unread_ops(*region_);
    const std::vector<ops::Value> results =
        ops::scan(outer_, operands_, layout_.length, layout_.reverse, std::move(region_));
    std::vector<ir::Value*> replacements;
    for (std::size_t i = 0; i < live_.size(); ++i) {
      if (position[i] >= 0)
        replacements.push_back(results[static_cast<std::size_t>(position[i])].value);
      else  // unchanged by the loop, or read by nobody
        replacements.push_back(i < layout_.carries && fates_[i] == Fate::invariant ? operand(i) : op_.result(i));
    }
    return replacements;
  }

  ir::Op& op_;
  ir::Builder& outer_;
  const Uses& uses_;
  const ops::ScanLayout layout_;
  const ir::Region& body_;
  std::unique_ptr<ir::Region> region_ = std::make_unique<ir::Region>();  ///< the new body
  ir::Builder inner_;
  bool changed_ = false;
  std::vector<bool> live_;  ///< results
  Values needed_, invariant_, hoisted_;
  std::vector<Fate> fates_;  ///< of arguments
  ops::ScanOperands operands_;
  std::unordered_map<const std::vector<ops::Value>*, std::vector<ir::Value*>> taken_;  ///< arguments by list
  ir::ValueMap map_;
};

}  // namespace

bool simplify_loops(ir::Function& function) {
  if (!has_scan(function.body)) return false;
  bool changed = false;
  for (bool again = true; again;) {
    Uses uses;
    count_uses(function.body, uses);
    // Removed at once: a loop with a check inside would stay for its effect. What is removed is forgotten, as a new op
    // may come to lie at its address.
    std::unordered_set<const ir::Op*> replaced;
    const auto remove_replaced = [&](ir::Region& region) {
      std::erase_if(region.ops, [&](const auto& op) { return replaced.erase(op.get()) != 0; });
    };
    again = ir::rewrite(function.body, [&](ir::Op& op, ir::Builder& builder) {
      for (const auto& nested : op.regions) remove_replaced(*nested);
      std::vector<ir::Value*> results;
      if (op.def == &ops::op_scan && !op.results.empty()) results = LoopSimplifier(op, builder, uses).run();
      if (!results.empty()) replaced.insert(&op);
      return results;
    });
    remove_replaced(function.body);
    if (again) ir::remove_unread_ops(function.body);
    changed |= again;
  }
  return changed;
}

}  // namespace pullback::passes
