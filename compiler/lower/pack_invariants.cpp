#include "compiler/lower/pack_invariants.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/lower/contraction_schedule.h"
#include "compiler/lower/contraction_shape.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/scan.h"

namespace pullback::lower {
namespace {

using ops::Value;

/// Accumulators that keep both units busy while each waits for the one before.
constexpr std::int64_t kFewestSums = 8;

class InvariantPacker {
 public:
  InvariantPacker(ir::Op& loop, ir::Builder& outside, const Target& target)
      : loop_(loop), outside_(outside), target_(target), layout_(loop), body_(*loop.regions.front()) {}

  bool run() {
    if (!ir::rewrite(body_, [&](ir::Op& op, ir::Builder& inside) { return rewrite(op, inside); })) return false;
    ir::remove_unread_ops(body_);
    remove_unread_invariants();
    return true;
  }

 private:
  /// x:[...,K] w:[K,N] or [N,K] -> [...,N]
  std::vector<ir::Value*> rewrite(ir::Op& op, ir::Builder& inside) {
    if (op.def != &ops::op_dot_general || !is_invariant(op.operand(1))) return {};
    const std::int64_t columns = panel_columns(op);
    if (columns == 0) return {};
    const ir::AxisPairs contract = op.attributes.pairs("contract");
    const Value x(inside, op.operand(0)), panels(inside, packed(op.operand(1)->index, contract.rhs.front(), columns));
    const Value product = ops::dot_general(x, panels, {contract.lhs, {1}}, {});
    return {ops::reshape(product, op.result()->type.shape).value};
  }

  bool is_invariant(const ir::Value* value) const {
    return !value->definer && value->index >= layout_.first_invariant() && value->index < layout_.arguments();
  }

  /// How many columns of w a panel should have; 0: w is read as it is.
  std::int64_t panel_columns(const ir::Op& op) {
    const ir::AxisPairs contract = op.attributes.pairs("contract"), batch = op.attributes.pairs("batch");
    const ir::Type &x = op.operand(0)->type, &w = op.operand(1)->type;
    if (w.rank() != 2 || contract.rhs.size() != 1 || !batch.lhs.empty() || !is_contraction(op, accesses_)) return 0;
    if ((w.dtype != DType::f32 && w.dtype != DType::f64) || x.dtype != w.dtype) return 0;
    const std::optional<ContractionShape> shape =
        contraction_shape(op, accesses_, [](const ir::Value&) { return true; });
    if (!shape || shape->spec.accumulate != w.dtype) return 0;
    const Registers registers{target_.vector_registers,
                              target_.vector_bytes / static_cast<std::int64_t>(size_of(w.dtype))};
    const ContractionProblem problem{*shape, {x.dtype, true}, {w.dtype, true}, w.dtype,
                                     false,  false,           registers,       target_.second_level};
    if (!choose_schedule(problem).pack_columns) return 0;
    const std::int64_t rows = ContractionShape::product(shape->m), columns = ContractionShape::product(shape->n);
    const Tile tile = choose_tile(rows, columns, registers);
    for (std::int64_t vectors = tile.vectors; vectors * tile.rows >= kFewestSums; --vectors)
      if (columns % (vectors * registers.width) == 0) return vectors * registers.width;
    return 0;
  }

  /// The argument of the body that holds argument `w` in panels: [N/columns,K,columns].
  ir::Value* packed(std::size_t w, std::int64_t contracted, std::int64_t columns) {
    for (const Packed& known : packed_)
      if (known.w == w && known.contracted == contracted && known.columns == columns) return known.panels;
    const auto [whole, depth] = source_of(w, contracted);
    const auto across = static_cast<std::size_t>(1 - depth);
    const Dim panels = *whole.size(across).divided_by(columns);
    const Value cut = depth == 0 ? ops::transpose(ops::reshape(whole, {whole.size(0), panels, columns}), {1, 0, 2})
                                 : ops::transpose(ops::reshape(whole, {panels, columns, whole.size(1)}), {0, 2, 1});
    loop_.operands.push_back(cut.value);
    packed_.push_back({w, contracted, columns, body_.add_argument(cut.type())});
    return packed_.back().panels;
  }

  /// The matrix that argument `w` is, or of which it is the transpose; and the axis of it that is contracted. The
  /// transpose, made for another loop, need not be kept for the panels' sake, nor should they be made together with it.
  std::pair<Value, std::int64_t> source_of(std::size_t w, std::int64_t contracted) const {
    ir::Value* value = loop_.operand(w);
    const ir::Op* made_by = value->definer;
    if (made_by && made_by->def == &ops::op_transpose && made_by->attributes.integers("permutation").front() == 1)
      return {ops::barrier({{outside_, made_by->operand(0)}}).front(), 1 - contracted};
    return {{outside_, value}, contracted};
  }

  /// A matrix that is read in panels only need not be there as it was.
  void remove_unread_invariants() {
    const auto uses = ir::use_counts(body_);
    for (std::size_t i = body_.arguments.size(); i-- > layout_.first_invariant();) {
      if (uses.contains(body_.arguments[i].get())) continue;
      body_.arguments.erase(body_.arguments.begin() + static_cast<std::ptrdiff_t>(i));
      loop_.operands.erase(loop_.operands.begin() + static_cast<std::ptrdiff_t>(i));
    }
    for (std::size_t i = 0; i < body_.arguments.size(); ++i) body_.arguments[i]->index = i;
  }

  struct Packed {
    std::size_t w = 0;
    std::int64_t contracted = 0, columns = 0;
    ir::Value* panels = nullptr;
  };

  ir::Op& loop_;
  ir::Builder& outside_;
  const Target& target_;
  const ops::ScanLayout layout_;  ///< before anything was packed
  ir::Region& body_;
  Accesses accesses_;
  std::vector<Packed> packed_;
};

}  // namespace

bool pack_invariants(ir::Function& function, const Target& target) {
  bool changed = false;
  ir::rewrite(function.body, [&](ir::Op& op, ir::Builder& outside) {
    if (op.def == &ops::op_scan) changed |= InvariantPacker(op, outside, target).run();
    return std::vector<ir::Value*>{};
  });
  return changed;
}

}  // namespace pullback::lower
