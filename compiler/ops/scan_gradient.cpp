// The gradient of scan: a scan in the other direction.
//
// The body is differentiated in place: its ops, then those of its gradient. What the gradient reads of the body's
// values is stacked by the forward scan, which gets further results (residuals); what is cheap or the same in all
// iterations is computed again. Cotangents of the carries are the carries of the backward scan. The cotangent of an
// invariant is a sum over iterations: where it is a sum of products (the gradient of a weight), their factors are
// stacked and one product behind the loop sums over iterations too; any other is a carry.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "compiler/ir/prune.h"
#include "compiler/ops/regions.h"
#include "compiler/ops/scan.h"

namespace pullback::ops {

namespace {

using Values = std::unordered_set<const ir::Value*>;

/// The floating values of `region` that depend on `seeds`, and the seeds.
Values depending_on(const ir::Region& region, Values seeds) {
  for (const auto& op : region.ops) {
    const bool any = std::any_of(op->operands.begin(), op->operands.end(), [&](auto* v) { return seeds.contains(v); });
    if (!any) continue;
    for (const auto& result : op->results)
      if (is_float(result->type.dtype)) seeds.insert(result.get());
  }
  return seeds;
}

/// Everything that `values` are computed from, and they themselves.
Values needed_for(const ir::Region& region, Values values) {
  for (std::size_t i = region.ops.size(); i-- > 0;) {
    const ir::Op& op = *region.ops[i];
    const bool any =
        std::any_of(op.results.begin(), op.results.end(), [&](const auto& r) { return values.contains(r.get()); });
    if (any) values.insert(op.operands.begin(), op.operands.end());
  }
  return values;
}

/// What is differentiated: which arguments of the body with respect to, and which of its results have cotangents.
struct Extent {
  std::vector<std::size_t> carries;  ///< their cotangents are carried
  std::vector<std::size_t> outputs;  ///< results: those carries, then stacked ones
  std::vector<std::size_t> wanted;   ///< arguments: those carries, then slices, then invariants
};

/// A carry takes part when it depends on something wanted and something with a cotangent depends on it, in this
/// iteration or a later one.
Extent extent_of(const GradContext& c, const ScanLayout& layout) {
  const ir::Region& body = *c.op().regions.front();
  std::vector<bool> varies(layout.arguments()), reached(layout.carries);
  for (std::size_t i = 0; i < varies.size(); ++i) varies[i] = c.needs_grad(i);
  for (std::size_t i = 0; i < reached.size(); ++i) reached[i] = c.has_out_grad(i);
  Values dependents, sources;
  for (bool changed = true; changed;) {
    changed = false;
    Values seeds;
    for (std::size_t i = 0; i < varies.size(); ++i)
      if (varies[i]) seeds.insert(body.arguments[i].get());
    dependents = depending_on(body, std::move(seeds));
    Values ends;
    for (std::size_t i = 0; i < body.results.size(); ++i)
      if (i < layout.carries ? reached[i] : c.has_out_grad(i)) ends.insert(body.results[i]);
    sources = needed_for(body, std::move(ends));
    for (std::size_t i = 0; i < layout.carries; ++i) {
      if (!is_float(body.arguments[i]->type.dtype)) continue;
      const bool varies_now = varies[i] || dependents.contains(body.results[i]);
      const bool reached_now = reached[i] || sources.contains(body.arguments[i].get());
      changed |= varies_now != varies[i] || reached_now != reached[i];
      varies[i] = varies_now;
      reached[i] = reached_now;
    }
  }
  Extent extent;
  for (std::size_t i = 0; i < layout.carries; ++i)
    if (varies[i] && reached[i]) extent.carries.push_back(i);
  extent.outputs = extent.wanted = extent.carries;
  for (std::size_t i = layout.carries; i < body.results.size(); ++i)
    if (c.has_out_grad(i) && dependents.contains(body.results[i])) extent.outputs.push_back(i);
  for (std::size_t i = layout.carries; i < layout.arguments(); ++i)
    if (c.needs_grad(i) && sources.contains(body.arguments[i].get())) extent.wanted.push_back(i);
  return extent;
}

class ScanGradient {
 public:
  explicit ScanGradient(GradContext& c) : c_(c), layout_(c.op()) {}

  void run() {
    extent_ = extent_of(c_, layout_);
    if (extent_.outputs.empty() || extent_.wanted.empty()) return;
    const std::size_t stacked_before = c_.op().results.size();
    for (std::size_t i = 0; i < layout_.arguments(); ++i) operands_.push_back(c_.operand(i));
    for (const std::size_t i : extent_.outputs) cotangents_.push_back(c_.out_grad(i));
    joint_ = c_.joint_gradient(*c_.op().regions.front(), extent_.wanted, extent_.outputs);
    first_cotangent_ = layout_.arguments();
    choose_backward_ops();
    extend_forward(stacked_before);
    plan_sums();
    run_backward();
  }

 private:
  const ir::Region& joint() const { return *joint_.region; }
  const ir::Value* argument(std::size_t i) const { return joint().arguments[i].get(); }

  /// Values of the body that are the same in all iterations.
  Values find_invariant() const {
    Values invariant;
    for (std::size_t i = layout_.first_invariant(); i < layout_.arguments(); ++i) invariant.insert(argument(i));
    for (const auto& op : joint().ops)
      if (!ir::has_effect(*op) &&
          std::all_of(op->operands.begin(), op->operands.end(), [&](auto* v) { return invariant.contains(v); }))
        for (const auto& result : op->results) invariant.insert(result.get());
    return invariant;
  }

  /// Is a forward op repeated by the backward scan rather than its result saved?
  bool is_repeated(const ir::Op& op) const {
    if (ir::has_effect(op)) return false;
    const bool same_elements =
        op.operands.size() == 1 && op.def->traits.moves_data && op.results.size() == 1 &&
        ir::element_count(op.result()->type.shape) == ir::element_count(op.operand(0)->type.shape);
    const bool enlarges = op.def->traits.cheap && op.def->traits.moves_data;
    return op.operands.empty() || invariant_.contains(op.result()) || same_elements || enlarges || reads_kept_carry(op);
  }

  /// Is it computed, element by element, from the new value of a carry that is saved as it was before the iteration?
  /// All values of that carry then are one stack, and this one need not be another.
  bool reads_kept_carry(const ir::Op& op) const {
    if (op.operands.size() != 1 || !op.def->element || op.def->contraction || op.results.size() != 1 ||
        op.result()->type != op.operand(0)->type)
      return false;
    for (std::size_t i = 0; i < layout_.carries; ++i)
      if (op.operand(0)->definer && new_carries_[i] == op.operand(0) && needed_.contains(argument(i))) return true;
    return false;
  }

  /// Walks back from the derivatives: what the backward scan computes and what it is given.
  void choose_backward_ops() {
    invariant_ = find_invariant();
    for (std::size_t i = 0; i < layout_.carries; ++i)
      new_carries_.push_back(forward_result(*c_.op().regions.front(), i));
    needed_.insert(joint().results.begin(), joint().results.end());
    for (const ir::Value* result : joint().results) ++uses_[result];
    for (std::size_t i = joint().ops.size(); i-- > 0;) {
      ir::Op& op = *joint().ops[i];
      const bool any =
          std::any_of(op.results.begin(), op.results.end(), [&](const auto& r) { return needed_.contains(r.get()); });
      if (!any) continue;
      if (i >= joint_.forward_ops || is_repeated(op)) {
        backward_ops_.push_back(&op);
        needed_.insert(op.operands.begin(), op.operands.end());
        for (const ir::Value* operand : op.operands) ++uses_[operand];
        continue;
      }
      for (const auto& result : op.results)
        if (needed_.contains(result.get())) saved_.push_back(result.get());
    }
    std::reverse(backward_ops_.begin(), backward_ops_.end());
    std::reverse(saved_.begin(), saved_.end());
    for (std::size_t i = 0; i < layout_.carries; ++i)
      if (needed_.contains(argument(i))) saved_.push_back(joint().arguments[i].get());
  }

  /// Makes the forward scan stack what is saved, unless it does already.
  void extend_forward(std::size_t stacked_before) {
    ir::Op& op = c_.extend();
    auto region = std::make_unique<ir::Region>();
    ir::Builder b(*region);
    ir::ValueMap map;
    for (std::size_t i = 0; i < layout_.arguments(); ++i)
      map[argument(i)] = region->add_argument(argument(i)->type, argument(i)->name);
    for (std::size_t i = 0; i < joint_.forward_ops; ++i) b.copy(*joint().ops[i], map);
    for (std::size_t i = 0; i < op.regions.front()->results.size(); ++i)
      region->results.push_back(map.at(forward_result(*op.regions.front(), i)));
    for (ir::Value* saved : saved_) {
      ir::Value* value = map.at(saved);
      const auto first = region->results.begin() + static_cast<std::ptrdiff_t>(layout_.carries);
      const auto known = std::find(first, region->results.end(), value);
      const auto position = static_cast<std::size_t>(known - region->results.begin());
      if (known == region->results.end()) region->results.push_back(value);
      residual_[saved] = position;
    }
    for (std::size_t i = stacked_before; i < region->results.size(); ++i) {
      auto result = std::make_unique<ir::Value>();
      result->type = stacked_type(region->results[i]->type, layout_.length);
      result->name = region->results[i]->name.empty() ? "" : region->results[i]->name + ".saved";
      result->definer = &op;
      result->index = i;
      op.results.push_back(std::move(result));
    }
    op.regions.front() = std::move(region);
  }

  /// The copy in the joint region of result i of the body.
  const ir::Value* forward_result(const ir::Region& body, std::size_t i) const {
    const ir::Value* result = body.results[i];
    if (!result->definer) return argument(result->index);
    for (std::size_t k = 0; k < body.ops.size(); ++k)
      if (body.ops[k].get() == result->definer) return joint().ops[k]->result(result->index);
    throw InternalError("scan: a result of the body is not one of its values");
  }

  // --- Sums over iterations ---

  enum class Way : std::uint8_t {
    carry,    ///< added up by the loop
    add,      ///< the sum of the operands' sums
    move,     ///< the moved sum of the operand
    product,  ///< one dot_general, over iterations too
    sum       ///< one reduce_sum, over iterations too
  };

  Way way_of(const ir::Value* value) const {
    const ir::Op* op = value->definer;
    if (!op || !is_gradient_op(op) || uses_.at(value) != 1) return Way::carry;
    const std::string& name = op->def->name;
    if (name == "add") return Way::add;
    if (name == "transpose" || name == "reshape") return Way::move;
    if (name == "dot_general" && !invariant_.contains(op->operand(0)) && !invariant_.contains(op->operand(1)))
      return Way::product;
    if (name == "reduce_sum" && is_stacked(op->operand(0))) return Way::sum;
    return Way::carry;
  }

  bool is_gradient_op(const ir::Op* op) const {
    const auto first = joint().ops.begin() + static_cast<std::ptrdiff_t>(joint_.forward_ops);
    return std::any_of(first, joint().ops.end(), [&](const auto& other) { return other.get() == op; });
  }

  /// Is there a tensor of all iterations' values, or will there be?
  bool is_stacked(const ir::Value* value) const {
    if (residual_.contains(value) || stacked_.contains(value)) return true;
    return !value->definer &&
           (layout_.is_slice(value->index) || value->index >= first_cotangent_ + extent_.carries.size());
  }

  void stack(const ir::Value* value) {
    if (!is_stacked(value)) stacked_.emplace(value, stack_order_.size()), stack_order_.push_back(value);
  }

  /// Operands of products are stacked before it is asked whether a reduce_sum reads what is stacked.
  void stack_factors(const ir::Value* value) {
    const Way way = way_of(value);
    if (way == Way::add || way == Way::move)
      for (const ir::Value* operand : value->definer->operands) stack_factors(operand);
    if (way == Way::product)
      for (const ir::Value* operand : value->definer->operands) stack(operand);
  }

  void find_carried(const ir::Value* value) {
    const Way way = way_of(value);
    if (way == Way::add || way == Way::move)
      for (const ir::Value* operand : value->definer->operands) find_carried(operand);
    if (way == Way::carry && sums_.emplace(value, sum_order_.size()).second) sum_order_.push_back(value);
  }

  void plan_sums() {
    for (std::size_t i = 0; i < extent_.wanted.size(); ++i)
      if (layout_.is_slice(extent_.wanted[i])) stack(joint().results[i]);
    const auto each_invariant = [&](auto visit) {
      for (std::size_t i = 0; i < extent_.wanted.size(); ++i)
        if (layout_.is_invariant(extent_.wanted[i])) visit(joint().results[i]);
    };
    each_invariant([&](const ir::Value* v) { stack_factors(v); });
    each_invariant([&](const ir::Value* v) { find_carried(v); });
  }

  // --- The backward scan ---

  void run_backward() {
    ir::Builder& outer = c_.build();
    auto region = std::make_unique<ir::Region>();
    ir::Builder b(*region);
    b.location = outer.location;
    ScanOperands operands;
    ir::ValueMap map;
    std::vector<ir::Value*> sums;
    const std::size_t carries = extent_.carries.size();
    const auto take = [&](const ir::Value* value, std::vector<Value>& list, Value operand) {
      list.push_back(operand);
      map[value] = region->add_argument(value->type, value->name);
    };
    for (std::size_t i = 0; i < carries; ++i) take(argument(first_cotangent_ + i), operands.carries, cotangents_[i]);
    for (const ir::Value* sum : sum_order_) {
      operands.carries.push_back(full(outer, sum->type, 0));
      sums.push_back(region->add_argument(sum->type));
    }
    for (std::size_t i = carries; i < cotangents_.size(); ++i)
      take(argument(first_cotangent_ + i), operands.xs, cotangents_[i]);
    for (const ir::Value* saved : saved_) take(saved, operands.xs, c_.result(residual_.at(saved)));
    for (std::size_t i = layout_.carries; i < layout_.arguments(); ++i)
      if (needed_.contains(argument(i)))
        take(argument(i), layout_.is_slice(i) ? operands.xs : operands.invariants, operands_[i]);

    for (const ir::Op* op : backward_ops_) b.copy(*op, map);
    for (std::size_t i = 0; i < carries; ++i) region->results.push_back(map.at(joint().results[i]));
    for (std::size_t i = 0; i < sums.size(); ++i)
      region->results.push_back(add({b, sums[i]}, {b, map.at(sum_order_[i])}).value);
    for (const ir::Value* value : stack_order_) region->results.push_back(map.at(value));
    ir::remove_unread_ops(*region);
    results_ = scan(outer, operands, layout_.length, !layout_.reverse, std::move(region));
    add_gradients();
  }

  void add_gradients() {
    for (std::size_t i = 0; i < extent_.wanted.size(); ++i) {
      const std::size_t wanted = extent_.wanted[i];
      if (layout_.is_carry(wanted))
        c_.add_grad(wanted, results_[i]);
      else if (layout_.is_slice(wanted))
        c_.add_grad(wanted, all_iterations(joint().results[i]));
      else
        c_.add_grad(wanted, sum_over_iterations(joint().results[i]));
    }
  }

  /// The values of all iterations, as a tensor outside of the loop.
  Value all_iterations(const ir::Value* value) {
    if (const auto known = residual_.find(value); known != residual_.end()) return c_.result(known->second);
    if (const auto known = stacked_.find(value); known != stacked_.end())
      return results_[extent_.carries.size() + sum_order_.size() + known->second];
    return layout_.is_slice(value->index) ? operands_[value->index] : cotangents_[value->index - first_cotangent_];
  }

  Value sum_over_iterations(const ir::Value* value) {
    const ir::Op* op = value->definer;
    ir::Builder& b = c_.build();
    switch (way_of(value)) {
      case Way::add:
        return add(sum_over_iterations(op->operand(0)), sum_over_iterations(op->operand(1)));
      case Way::move:
        return {b, b.value(*op->def, {sum_over_iterations(op->operand(0)).value}, op->attributes)};
      case Way::product: {
        ir::AxisPairs contract = op->attributes.pairs("contract"), batch = op->attributes.pairs("batch");
        for (ir::Integers* axes : {&contract.lhs, &contract.rhs, &batch.lhs, &batch.rhs})
          for (std::int64_t& axis : *axes) ++axis;
        contract.lhs.insert(contract.lhs.begin(), 0);
        contract.rhs.insert(contract.rhs.begin(), 0);
        return dot_general(all_iterations(op->operand(0)), all_iterations(op->operand(1)), contract, batch);
      }
      case Way::sum: {
        ir::Integers axes = op->attributes.integers("axes");
        for (std::int64_t& axis : axes) ++axis;
        axes.insert(axes.begin(), 0);
        return reduce_sum(all_iterations(op->operand(0)), axes);
      }
      case Way::carry:
        break;
    }
    return results_[extent_.carries.size() + sums_.at(value)];
  }

  GradContext& c_;
  const ScanLayout layout_;
  Extent extent_;
  std::vector<Value> operands_, cotangents_;
  GradContext::JointGradient joint_;
  std::size_t first_cotangent_ = 0;  ///< position of the first cotangent among the joint region's arguments
  Values invariant_, needed_;
  std::vector<const ir::Value*> new_carries_;       ///< what the iteration makes of each carry
  std::unordered_map<const ir::Value*, int> uses_;  ///< by the backward ops and results
  std::vector<const ir::Op*> backward_ops_;
  std::vector<ir::Value*> saved_;
  std::unordered_map<const ir::Value*, std::size_t> residual_;  ///< saved values: which result of the forward scan
  std::vector<const ir::Value*> stack_order_, sum_order_;
  std::unordered_map<const ir::Value*, std::size_t> stacked_, sums_;  ///< positions in the above
  std::vector<Value> results_;                                        ///< of the backward scan
};

}  // namespace

void scan_vjp(GradContext& c) {
  ScanGradient(c).run();
}

}  // namespace pullback::ops
