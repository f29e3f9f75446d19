#include "compiler/lower/sink_into_scans.h"

#include <algorithm>
#include <optional>

#include "compiler/ir/layout.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/scan.h"

namespace pullback::lower {
namespace {

using ops::Value;
using Uses = std::unordered_map<const ir::Value*, int>;

/// With fewer rows a product is bound by reading its matrix, which is better read once for all iterations.
constexpr std::int64_t kFewestRowsEach = 16;

std::int64_t bytes_of(const ir::Value& value) {
  return ir::element_count(value.type.shape).constant() * static_cast<std::int64_t>(size_of(value.type.dtype));
}

class Sinker {
 public:
  Sinker(ir::Op& loop, const Uses& uses, std::int64_t room)
      : loop_(loop), uses_(uses), layout_(loop), body_(*loop.regions.front()), inside_(body_), room_(room) {
    for (std::size_t i = layout_.first_invariant(); i < layout_.arguments(); ++i) room_ -= room_of(*loop.operand(i));
  }

  bool run() {
    std::vector<bool> sunk(layout_.arguments());
    for (std::size_t i = layout_.carries; i < layout_.first_invariant(); ++i) {
      const std::int64_t before = room_;
      sunk[i] = has_product(*loop_.operand(i));
      if (!sunk[i]) room_ = before;
    }
    if (std::find(sunk.begin(), sunk.end(), true) == sunk.end()) return false;
    std::vector<std::unique_ptr<ir::Op>> rest = std::move(body_.ops);
    body_.ops.clear();
    ir::ValueMap computed;
    for (std::size_t i = 0; i < sunk.size(); ++i)
      if (sunk[i]) computed[body_.arguments[i].get()] = inside(*loop_.operand(i));
    const auto replace = [&](ir::Value*& value) {
      if (ir::Value* known = computed.find(value)) value = known;
    };
    for (std::unique_ptr<ir::Op>& op : rest) {
      std::for_each(op->operands.begin(), op->operands.end(), replace);
      body_.ops.push_back(std::move(op));
    }
    std::for_each(body_.results.begin(), body_.results.end(), replace);
    rebuild_operands(sunk);
    return true;
  }

 private:
  /// Bytes that a value takes of the cache: what is small is not counted.
  static std::int64_t room_of(const ir::Value& value) { return value.type.rank() < 2 ? 0 : bytes_of(value); }

  bool is_read_here_only(const ir::Value& value) const { return value.definer && uses_.at(&value) == 1; }

  /// x:[T,...,K] w:[K,N] or [N,K] -> [T,...,N], of enough rows for each T.
  bool is_product(const ir::Value& value) const {
    const ir::Op* op = value.definer;
    if (!op || op->def != &ops::op_dot_general || !is_read_here_only(value)) return false;
    const ir::AxisPairs contract = op->attributes.pairs("contract"), batch = op->attributes.pairs("batch");
    const ir::Type& w = op->operand(1)->type;
    if (!batch.lhs.empty() || contract.rhs.size() != 1 || w.rank() != 2 || !is_float(w.dtype)) return false;
    if (std::find(contract.lhs.begin(), contract.lhs.end(), 0) != contract.lhs.end()) return false;
    if (!ir::is_row_major(value) || !ir::is_row_major(*op->operand(0))) return false;
    const std::int64_t columns = w.shape[static_cast<std::size_t>(1 - contract.rhs.front())].constant();
    const std::int64_t elements = ir::element_count(value.type.shape).constant();
    return elements > 0 && elements / columns / layout_.length.constant() >= kFewestRowsEach;
  }

  static bool is_repeated(const ir::Value& value) {
    const ir::Op* op = value.definer;
    if (!op || op->def != &ops::op_broadcast) return false;
    const ir::Integers& axes = op->attributes.integers("dimensions");
    return std::find(axes.begin(), axes.end(), 0) == axes.end();
  }

  bool is_elementwise(const ir::Value& value) const {
    return is_read_here_only(value) && value.definer->def->traits.elementwise && value.definer->results.size() == 1;
  }

  /// Is the value, at the end of elementwise work, a product for whose matrix there is room? Takes that room.
  bool has_product(const ir::Value& value) {
    if (is_product(value)) {
      room_ -= room_of(*value.definer->operand(1));
      return room_ >= 0;
    }
    if (!is_elementwise(value)) return false;
    bool any = false;
    for (const ir::Value* operand : value.definer->operands) any |= has_product(*operand);
    return any && room_ >= 0;
  }

  /// The slice of the value, computed in the body.
  ir::Value* inside(ir::Value& value) {
    if (is_product(value)) {
      const ir::Op& op = *value.definer;
      ir::AxisPairs contract = op.attributes.pairs("contract");
      for (std::int64_t& axis : contract.lhs) --axis;
      const Value x(inside_, slice_of(op.operand(0))), w(inside_, invariant(op.operand(1)));
      inside_.location = op.location;
      return ops::dot_general(x, w, contract).value;
    }
    if (is_repeated(value)) {
      const ir::Op& op = *value.definer;
      ir::Integers axes = op.attributes.integers("dimensions");
      for (std::int64_t& axis : axes) --axis;
      inside_.location = op.location;
      return ops::broadcast({inside_, invariant(op.operand(0))}, {value.type.shape.begin() + 1, value.type.shape.end()},
                            axes)
          .value;
    }
    if (!is_elementwise(value)) return slice_of(&value);
    ir::ValueMap map;
    for (ir::Value* operand : value.definer->operands) map[operand] = inside(*operand);
    return inside_.copy(*value.definer, map)->result();
  }

  ir::Value* slice_of(ir::Value* whole) {
    Shape shape(whole->type.shape.begin() + 1, whole->type.shape.end());
    return take(slices_, whole, {whole->type.dtype, std::move(shape)});
  }
  ir::Value* invariant(ir::Value* value) { return take(invariants_, value, value->type); }

  struct Taken {
    ir::Value* operand = nullptr;
    std::unique_ptr<ir::Value> argument;
  };
  ir::Value* take(std::vector<Taken>& list, ir::Value* operand, ir::Type type) {
    for (const Taken& known : list)
      if (known.operand == operand) return known.argument.get();
    ir::Value* argument = body_.add_argument(std::move(type), operand->name);
    list.push_back({operand, std::move(body_.arguments.back())});
    body_.arguments.pop_back();
    return argument;
  }

  /// Puts what was taken in behind the other slices and invariants, and leaves out the slices that are computed now.
  void rebuild_operands(const std::vector<bool>& sunk) {
    std::vector<ir::Value*> operands;
    std::vector<std::unique_ptr<ir::Value>> arguments;
    const auto keep = [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        if (sunk[i]) continue;
        operands.push_back(loop_.operand(i));
        arguments.push_back(std::move(body_.arguments[i]));
      }
    };
    const auto add = [&](std::vector<Taken>& list) {
      for (Taken& taken : list) {
        operands.push_back(taken.operand);
        arguments.push_back(std::move(taken.argument));
      }
    };
    keep(0, layout_.first_invariant());
    add(slices_);
    const std::size_t slices = operands.size() - layout_.carries;
    keep(layout_.first_invariant(), layout_.arguments());
    add(invariants_);
    loop_.operands = std::move(operands);
    body_.arguments = std::move(arguments);
    for (std::size_t i = 0; i < body_.arguments.size(); ++i) body_.arguments[i]->index = i;
    loop_.attributes.set("slices", static_cast<std::int64_t>(slices));
  }

  ir::Op& loop_;
  const Uses& uses_;
  const ops::ScanLayout layout_;  ///< before
  ir::Region& body_;
  ir::Builder inside_;
  std::int64_t room_;  ///< bytes for matrices
  std::vector<Taken> slices_, invariants_;
};

bool sink(ir::Region& region, std::int64_t room) {
  bool changed = false;
  std::optional<Uses> uses;  // as they are before anything is sunk
  for (const auto& op : region.ops) {
    for (const auto& nested : op->regions) changed |= sink(*nested, room);
    if (op->def != &ops::op_scan || ops::ScanLayout(*op).length.constant() <= 1) continue;
    if (!uses) uses = ir::use_counts(region);
    changed |= Sinker(*op, *uses, room).run();
  }
  return changed;
}

}  // namespace

bool sink_into_scans(ir::Function& function, const Target& target) {
  return sink(function.body, target.second_level * 3 / 4);
}

}  // namespace pullback::lower
