#include "compiler/lower/anchors.h"

#include <algorithm>
#include <functional>

#include "compiler/lower/contraction_dots.h"
#include "compiler/lower/contraction_shape.h"
#include "compiler/ops/convolution.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/support/small_vector.h"

namespace pullback::lower {
namespace {

/// The expression that would be computed in place of a value.
struct Cone {
  using Ops = SmallVector<const ir::Op*, 4>;
  Ops ops;  ///< by address: to be united quickly
  int cost = 0;
  int leaves = 0;  ///< buffers it reads, about
};

class Chooser {
 public:
  Chooser(const ir::Region& region, Accesses& accesses, const GroupLimits& limits)
      : region_(region), accesses_(accesses), limits_(limits) {}

  PointerSet run() {
    for (const ir::Value* result : region_.results)
      if (result->definer && !is_leaf(*result)) anchors_.insert(result);
    count_readers();
    for (const auto& op : region_.ops) visit(*op);
    return std::move(anchors_);
  }

 private:
  void count_readers() {
    readers_.reserve(region_.ops.size());
    cones_.reserve(region_.ops.size());
    for (const auto& op : region_.ops) {
      for (auto operand = op->operands.begin(); operand != op->operands.end(); ++operand)
        if (std::find(op->operands.begin(), operand, *operand) == operand) ++readers_[*operand];
    }
  }

  bool inlinable(const ir::Value* value) const { return !is_leaf(*value) && !anchors_.contains(value); }

  void visit(const ir::Op& op) {
    if (!op.results.empty() && is_leaf(*op.result())) return;
    const bool composed = op.def->element && !is_contraction(op, accesses_);
    if (!composed) {
      for (std::size_t i = 0; i < op.operands.size(); ++i)
        if (inlinable(op.operand(i)) && !can_be_read(op, i)) anchors_.insert(stored_for(op, i));
      for (const auto& result : op.results) anchors_.insert(result.get());
      return;
    }
    const ir::Value* result = op.result();
    if (count_of(*result) == 0) {
      anchors_.insert(result);
      return;
    }
    const OpAccess& access = accesses_.of(op);
    for (const Read& read : access.reads) store_if_repeated(op, read, access);
    keep_small(op);
    Cone cone = cone_of(op, access);
    if (duplicated_too_often(result, cone) && store_number(op)) cone = cone_of(op, access);
    const bool reduces = access.reductions > 1 || access.reduced_count > 1 || access.loops ||
                         (access.reductions == 1 && access.reduced_count == 0);
    const bool movement = op.def->traits.moves_data || op.def->traits.cheap;
    if (reduces || (!limits_.fuse && !movement) || duplicated_too_often(result, cone)) anchors_.insert(result);
    cones_[result] = std::move(cone);
  }

  /// An operand whose elements are read several times each, and not cheap to compute, or computed from a contraction's
  /// result that nothing else reads: behind its sums this takes no more memory.
  void store_if_repeated(const ir::Op& op, const Read& read, const OpAccess& access) {
    const ir::Value* operand = op.operand(read.operand);
    if (!inlinable(operand)) return;
    const std::int64_t reads = count_of(*op.result()) * std::max<std::int64_t>(access.reduced_count, 1);
    if (reads <= count_of(*operand)) return;
    if (cones_[operand].cost >= limits_.duplicate || is_behind_contraction(operand) ||
        is_worth_storing(read, reads, op))
      anchors_.insert(operand);
  }

  /// Is an operand of many positions computed anew at each from several values in memory, of which the innermost loop
  /// meets others each time? Few rows, once stored, stay near.
  bool is_worth_storing(const Read& read, std::int64_t reads, const ir::Op& op) {
    constexpr std::int64_t kManyReads = 32 << 10, kManyTimes = 16;
    const ir::Value* operand = op.operand(read.operand);
    const Cone& cone = cones_[operand];
    if (reads < kManyReads || reads < kManyTimes * count_of(*operand) || cone.leaves < 2 || cone.cost < 2) return false;
    const OpAccess& access = accesses_.of(op);
    const auto at = [&](std::int64_t position) {
      return read.address.evaluate(
          [&](const kernel::LoopVar& variable) { return variable.id == access.result.id ? position : 0; },
          [](const kernel::Value&) { return std::int64_t{0}; });
    };
    return access.result.extent > 1 && at(0) != at(1);
  }

  bool is_behind_contraction(const ir::Value* value) {
    const Cone& cone = cones_[value];
    const bool moves =
        std::all_of(cone.ops.begin(), cone.ops.end(), [](auto* op) { return only_moves(*op->result()); });
    return limits_.fuse && !moves &&
           reads_contraction(cone, *value, [&](const ir::Value* v) { return *readers_.find(v) == 1 && !is_result(v); });
  }

  bool is_result(const ir::Value* value) const {
    return std::find(region_.results.begin(), region_.results.end(), value) != region_.results.end();
  }

  /// Is the expression computed from a contraction's result that holds as many elements as `value`, and `counts`?
  template <class Counts>
  bool reads_contraction(const Cone& cone, const ir::Value& value, const Counts& counts) {
    const auto from_contraction = [&](const ir::Value* v) {
      return !inlinable(v) && v->definer && count_of(*v) == count_of(value) && is_contraction(*v->definer, accesses_) &&
             counts(v);
    };
    return std::any_of(cone.ops.begin(), cone.ops.end(), [&](const ir::Op* inner) {
      return std::any_of(inner->operands.begin(), inner->operands.end(), from_contraction);
    });
  }

  /// Of one number that is broadcast, the number is stored rather than its many copies: who reads these reads that.
  bool store_number(const ir::Op& op) {
    if (op.def != &ops::op_broadcast || !inlinable(op.operand(0)) || count_of(*op.operand(0)) != 1) return false;
    anchors_.insert(op.operand(0));
    return true;
  }

  /// Stores the operands with the largest expressions until the op's own stays within the limit.
  void keep_small(const ir::Op& op) {
    for (;;) {
      std::size_t most = 0;  // as if the operands' expressions shared nothing
      for (const ir::Value* operand : op.operands)
        if (inlinable(operand)) most += cones_[operand].ops.size();
      if (static_cast<int>(most) < limits_.cone) return;
      Cone::Ops all;
      const ir::Value* largest = nullptr;
      for (const ir::Value* operand : op.operands) {
        if (!inlinable(operand)) continue;
        const Cone& cone = cones_[operand];
        all = united(all, cone.ops);
        if (!largest || cone.ops.size() > cones_[largest].ops.size()) largest = operand;
      }
      if (!largest || static_cast<int>(all.size()) < limits_.cone) return;
      anchors_.insert(largest);
    }
  }

  static Cone::Ops united(const Cone::Ops& a, const Cone::Ops& b) {
    Cone::Ops result;
    result.reserve(a.size() + b.size());
    const ir::Op *const *x = a.begin(), *const *y = b.begin();
    while (x != a.end() && y != b.end()) {
      if (*x == *y) ++y;
      result.push_back(y == b.end() || std::less<>()(*x, *y) ? *x++ : *y++);
    }
    result.append(x, a.end());
    result.append(y, b.end());
    return result;
  }

  static Cone::Ops with(const Cone::Ops& ops, const ir::Op* op) {
    Cone::Ops result;
    result.reserve(ops.size() + 1);
    const auto place = std::lower_bound(ops.begin(), ops.end(), op, std::less<>());
    result.append(ops.begin(), place);
    result.push_back(op);
    result.append(place, ops.end());
    return result;
  }

  Cone cone_of(const ir::Op& op, const OpAccess& access) {
    Cone cone;
    int parts = 0;
    for (const ir::Value* operand : op.operands) {
      if (!inlinable(operand)) {
        ++cone.leaves;
        continue;
      }
      const Cone& inner = cones_[operand];
      cone.ops = cone.ops.empty() ? with(inner.ops, &op) : united(cone.ops, inner.ops);
      cone.leaves += inner.leaves;
      cone.cost = inner.cost;
      ++parts;
    }
    if (cone.ops.empty()) cone.ops.push_back(&op);
    if (parts < 2) {  // the operand's ops and this one
      cone.cost += access.cost;
      return cone;
    }
    cone.cost = 0;  // parts may have ops in common
    for (const ir::Op* inner : cone.ops) cone.cost += inner == &op ? access.cost : accesses_.of(*inner).cost;
    return cone;
  }

  bool duplicated_too_often(const ir::Value* value, const Cone& cone) const {
    const int* found = readers_.find(value);
    const int readers = found ? *found : 0;
    if (readers < 2) return false;
    const int once = cone.cost + 2 * std::max(0, cone.leaves - 1);
    return once * (readers - 1) > limits_.duplicate;
  }

  /// By an op that writes its own kernel, or a contraction, without being stored first.
  bool can_be_read(const ir::Op& op, std::size_t i) {
    const auto stored = [&](const ir::Value& v) { return !inlinable(&v); };
    if (is_contraction(op, accesses_))
      return is_read_in_place(op, i, accesses_, stored) || is_prologue(op, op.operand(i));
    switch (op.def->reading ? op.def->reading(op, i) : ops::Reading::stored) {
      case ops::Reading::in_place:
        return view_of(*op.operand(i), accesses_, stored).has_value();
      case ops::Reading::composed:
        return cones_[op.operand(i)].cost <= limits_.cone;
      case ops::Reading::stored:
        break;
    }
    return false;
  }

  /// What is stored so that `op` can read operand `i`: of a part of something, the whole, if it reads in place; of
  /// something in another order, the thing itself, if only a loop for each part of an axis reads that in place.
  const ir::Value* stored_for(const ir::Op& op, std::size_t i) {
    const ir::Value* operand = op.operand(i);
    if (!is_contraction(op, accesses_)) return operand;
    const ir::Value* whole = operand;
    while (whole->definer->def == &ops::op_slice && inlinable(whole->definer->operand(0)))
      whole = whole->definer->operand(0);
    for (const ir::Value* base = operand; only_moves(*base) && inlinable(base->definer->operand(0));) {
      base = base->definer->operand(0);
      const auto stored = [&](const ir::Value& v) { return &v == base || !inlinable(&v); };
      if (!view_of(*operand, accesses_, stored) && is_read_in_place(op, i, accesses_, stored)) whole = base;
    }
    return whole;
  }

  /// Is the operand computed as the contraction packs it, rather than stored first? Each element is packed about once,
  /// and not more often than there are parts of the work, so that it pays where it is used much oftener than it takes
  /// instructions. But what is computed from a contraction's result is better computed there, behind its sums.
  bool is_prologue(const ir::Op& op, const ir::Value* operand) {
    if (!limits_.fuse || ops::is_convolution(op)) return false;  // windows meet each element several times
    const auto reached = [&](const ir::Value& v) { return !inlinable(&v) || !only_moves(v); };
    const std::optional<ContractionShape> shape = contraction_shape(op, accesses_, reached);
    if (!shape || shape->k.size() != 1 || lies_along_sums(*shape)) return false;
    const bool is_a = operand == op.operand(shape->spec.lhs);
    const ir::Value* base = is_a ? shape->a.base : shape->b.base;
    if (op.operand(0) == op.operand(1) || !inlinable(base) || !base->definer->def->element) return false;
    const Cone& cone = cones_[base];
    const std::int64_t uses = ContractionShape::product(is_a ? shape->n : shape->m);
    constexpr std::int64_t kParts = 16;
    if (uses < kParts * std::max(cone.cost, 1)) return false;
    return !reads_contraction(cone, *base, [](const ir::Value*) { return true; });
  }

  const ir::Region& region_;
  Accesses& accesses_;
  const GroupLimits& limits_;
  PointerSet anchors_;
  PointerMap<int> readers_;
  PointerMap<Cone> cones_;
};

}  // namespace

PointerSet choose_anchors(const ir::Region& region, Accesses& accesses, const GroupLimits& limits) {
  return Chooser(region, accesses, limits).run();
}

}  // namespace pullback::lower
