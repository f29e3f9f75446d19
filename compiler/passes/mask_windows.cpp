// The gradient of relu before max pooling masks what the pool scattered: select(x <= 0, 0, window_scatter(g, taps)),
// where taps are those of the maxima of x. What lands on an element comes from windows whose maximum it is, so that
// the pool's result says the same as x: window_scatter(select(pool(x) <= 0, 0, g), taps). The pool's result is mostly
// kept anyway, as the input of the next layer; x, several times as large, need not be then. Exact: a NaN is its
// window's maximum, and a sum of +0 is +0.
#include <algorithm>
#include <memory>
#include <unordered_map>
#include <vector>

#include "compiler/ir/builder.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/build.h"
#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace pullback::passes {
namespace {

bool mask_region(ir::Region& region);

/// Of a region in which something is scattered over windows.
class WindowMasker {
 public:
  explicit WindowMasker(ir::Region& region) : region_(region), uses_(ir::use_counts(region)), builder_(region) {}

  bool run() {
    std::vector<std::unique_ptr<ir::Op>> ops = std::move(region_.ops);
    region_.ops.clear();
    for (std::unique_ptr<ir::Op>& op : ops) {
      for (const auto& nested : op->regions) changed_ |= mask_region(*nested);
      for (ir::Value*& operand : op->operands) replace(operand);
      if (op->def == &ops::op_reduce_window_max) pools_[op->operand(0)].push_back(op.get());
      if (op->def == &ops::op_reshape) reshaped_[op->operand(0)] = op->result();
      if (op->def == &ops::op_select) {
        if (ir::Value* masked = mask(*op)) {
          instead_[op->result()] = masked;
          changed_ = true;
        }
      }
      region_.ops.push_back(std::move(op));
    }
    for (ir::Value*& result : region_.results) replace(result);
    return changed_;
  }

 private:
  void replace(ir::Value*& operand) const {
    if (ir::Value* found = instead_.find(operand)) operand = found;
  }

  static ir::Attributes windows_of(const ir::Op& op) {
    ir::Attributes windows = op.attributes;
    for (const char* name : {"sizes", "layout"}) windows.erase(name);
    return windows;
  }

  /// The pool over the windows of `argmax`, if `scatter` has the same.
  const ir::Op* pool_of(const ir::Op& argmax, const ir::Op& scatter) const {
    const auto found = pools_.find(argmax.operand(0));
    const ir::Attributes windows = windows_of(argmax);
    if (found == pools_.end() || !(windows_of(scatter) == windows)) return nullptr;
    for (const ir::Op* pool : found->second)
      if (windows_of(*pool) == windows) return pool;
    return nullptr;
  }

  /// The pool's result as its only reader reshapes it, if that is the shape from which g was brought: null otherwise.
  ir::Value* flat_pool(ir::Value* pool, const ir::Value* g) const {
    ir::Value* reshaped = reshaped_.find(pool);
    const ir::Op* back = made_by(g, ops::op_reshape);
    if (!back || !reshaped || !is_read_once(pool)) return nullptr;
    return reshaped->type.shape == back->operand(0)->type.shape ? reshaped : nullptr;
  }

  /// By one op of those that were there before: of what this pass builds nothing is known.
  bool is_read_once(const ir::Value* value) const {
    const auto found = uses_.find(value);
    return found != uses_.end() && found->second == 1;
  }

  /// What replaces the select; null: it is none of these.
  ir::Value* mask(const ir::Op& select) {
    const ir::Op* comparison = made_by(select.operand(0), ops::op_compare);
    if (!comparison) return nullptr;
    const bool zero_first = is_splat_of(select.operand(1), 0);
    if (!zero_first && !is_splat_of(select.operand(2), 0)) return nullptr;
    const ir::Op* scatter = made_by(select.operand(zero_first ? 2 : 1), ops::op_window_scatter);
    if (!scatter || !is_read_once(scatter->result())) return nullptr;
    const ir::Op* argmax = made_by(scatter->operand(1), ops::op_window_argmax);
    const auto bound = splat_of(comparison->operand(1));
    if (!argmax || !bound || argmax->operand(0) != comparison->operand(0)) return nullptr;
    const ir::Op* pool = pool_of(*argmax, *scatter);
    if (!pool) return nullptr;
    builder_.location = select.location;
    ir::Value *maxima = pool->result(), *g = scatter->operand(0);
    if (ir::Value* flat = flat_pool(maxima, g)) {
      maxima = flat;
      g = g->definer->operand(0);
    }
    const ops::Value limit = ops::broadcast_scalar(ops::constant(builder_, *bound), maxima->type.shape);
    const ops::Value holds = ops::compare({builder_, maxima}, limit, comparison->attributes.string("direction"));
    const ops::Value zero = ops::full(builder_, g->type, 0);
    ops::Value kept = zero_first ? ops::select(holds, zero, {builder_, g}) : ops::select(holds, {builder_, g}, zero);
    if (g != scatter->operand(0)) kept = ops::reshape(kept, scatter->operand(0)->type.shape);
    return builder_.value(ops::op_window_scatter, {kept.value, scatter->operand(1)}, scatter->attributes);
  }

  ir::Region& region_;
  std::unordered_map<const ir::Value*, int> uses_;
  ir::Builder builder_;
  std::unordered_map<const ir::Value*, std::vector<const ir::Op*>> pools_;  ///< by operand
  ir::ValueMap reshaped_;                                                   ///< by operand, what became of it
  ir::ValueMap instead_;
  bool changed_ = false;
};

bool mask_region(ir::Region& region) {
  const bool has_scatters = std::any_of(region.ops.begin(), region.ops.end(),
                                        [](const auto& op) { return op->def == &ops::op_window_scatter; });
  if (has_scatters) return WindowMasker(region).run();
  bool changed = false;
  for (const auto& op : region.ops)
    for (const auto& nested : op->regions) changed |= mask_region(*nested);
  return changed;
}

}  // namespace

bool mask_windows(ir::Function& function) {
  const bool changed = mask_region(function.body);
  if (changed) ir::remove_unread_ops(function.body);
  return changed;
}

}  // namespace pullback::passes
