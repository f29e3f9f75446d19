#include "compiler/lower/split_products.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {
namespace {

using ir::Integers;

/// Of more results there are tiles enough to share.
constexpr std::int64_t kFewResults = 1024;
/// Terms of each slab: to add up the slabs is then a hundredth of the work.
constexpr std::int64_t kFewestTerms = 512;
constexpr std::int64_t kMostProductSlabs = 8;
/// Of less work, handing out slabs would be a large part.
constexpr double kFewProducts = 1e6;

std::int64_t product_of(const Integers& dims) {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims) product *= dim;
  return product;
}

bool is_one(std::int64_t size) {
  return size == 1;
}

/// Which of the contracted axes is cut into how many slabs.
struct Cut {
  std::size_t axis = 0;
  std::int64_t slabs = 1;
};

Cut cut_of(const Integers& contracted) {
  const std::int64_t terms = product_of(contracted);
  for (std::int64_t slabs = kMostProductSlabs; slabs > 1 && terms > 0; --slabs)
    for (std::size_t axis = 0; axis < contracted.size(); ++axis)
      if (contracted[axis] % slabs == 0 && terms / slabs >= kFewestTerms) return {axis, slabs};
  return {};
}

/// The operand with `axis` as two, slabs and what is left of it.
ir::Value* operand_in_slabs(ir::Value* operand, std::int64_t axis, std::int64_t slabs, ir::Builder& builder) {
  Integers dims = ir::static_dims(operand->type.shape);
  dims[static_cast<std::size_t>(axis)] /= slabs;
  dims.insert(dims.begin() + axis, slabs);
  return builder.value(ops::op_reshape, {operand}, {{"shape", Shape(dims.begin(), dims.end())}});
}

/// The same axes where `cut` is two.
Integers with_cut(Integers axes, std::int64_t cut) {
  for (std::int64_t& axis : axes)
    if (axis >= cut) ++axis;
  return axes;
}

std::vector<ir::Value*> split_product(ir::Op& op, ir::Builder& builder) {
  if (op.def != &ops::op_dot_general) return {};
  ir::Value *x = op.operand(0), *y = op.operand(1), *result = op.result();
  if (size_of(result->type.dtype) < 4) return {};  // partial results would be rounded
  if (!ir::is_row_major(*x) || !ir::is_row_major(*y) || !ir::is_row_major(*result)) return {};
  const Integers results = ir::static_dims(result->type.shape);
  // Of a vector's products those are shared that its results, or the matrix's rows, are made of.
  const auto wide = std::count_if(results.begin(), results.end(), [](std::int64_t size) { return !is_one(size); });
  if (wide < 2 || product_of(results) > kFewResults) return {};

  const ir::AxisPairs &contract = op.attributes.pairs("contract"), &batch = op.attributes.pairs("batch");
  if (!batch.lhs.empty()) return {};  // a batch is shared as it is
  const Integers dims = ir::static_dims(x->type.shape);
  Integers contracted;
  for (const std::int64_t axis : contract.lhs) contracted.push_back(dims[static_cast<std::size_t>(axis)]);
  const Cut cut = cut_of(contracted);
  const double products = static_cast<double>(product_of(results)) * static_cast<double>(product_of(contracted));
  if (cut.slabs == 1 || products < kFewProducts) return {};
  const std::int64_t x_axis = contract.lhs[cut.axis], y_axis = contract.rhs[cut.axis];
  ir::AxisPairs rest{with_cut(contract.lhs, x_axis), with_cut(contract.rhs, y_axis)};
  ir::AxisPairs slabs{{x_axis}, {y_axis}};
  ir::Value* partial = builder.value(
      *op.def, {operand_in_slabs(x, x_axis, cut.slabs, builder), operand_in_slabs(y, y_axis, cut.slabs, builder)},
      {{"contract", std::move(rest)}, {"batch", std::move(slabs)}});
  return {builder.value(ops::op_reduce_sum, {partial}, {{"axes", Integers{0}}})};
}

}  // namespace

bool split_products(ir::Function& function) {
  return ir::rewrite(function.body, split_product);
}

}  // namespace pullback::lower
