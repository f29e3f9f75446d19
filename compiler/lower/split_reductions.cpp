#include "compiler/lower/split_reductions.h"

#include <algorithm>

#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {
namespace {

constexpr std::int64_t kManyElements = std::int64_t{1} << 19;
constexpr std::int64_t kFewResults = 1024;
constexpr std::int64_t kMostSlabs = 32, kFewestSlabs = 8;

/// The largest number of slabs that divides `folded`, or 1.
std::int64_t slabs_of(std::int64_t folded) {
  for (std::int64_t slabs = kMostSlabs; slabs >= kFewestSlabs; --slabs)
    if (folded % slabs == 0) return slabs;
  return 1;
}

bool folds_leading_axes(const ir::Integers& axes) {
  ir::Integers sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != static_cast<std::int64_t>(i)) return false;
  return !sorted.empty();
}

std::vector<ir::Value*> split_reduction(ir::Op& op, ir::Builder& builder) {
  if (!op.def->traits.reduction || !folds_leading_axes(op.attributes.integers("axes"))) return {};
  const ir::Type& type = op.operand(0)->type;
  if (is_float(type.dtype) && size_of(type.dtype) < 4) return {};  // partial results would be rounded
  const auto folded_axes = op.attributes.integers("axes").size();
  const std::vector<std::int64_t> dims = ir::static_dims(type.shape);
  std::int64_t folded = 1, kept = 1;
  for (std::size_t d = 0; d < dims.size(); ++d) (d < folded_axes ? folded : kept) *= dims[d];
  const std::int64_t slabs = slabs_of(folded);
  if (folded * kept < kManyElements || kept > kFewResults || slabs == 1) return {};

  Shape shape{slabs, folded / slabs};
  shape.insert(shape.end(), type.shape.begin() + static_cast<std::ptrdiff_t>(folded_axes), type.shape.end());
  ir::Value* cut = builder.value(ops::op_reshape, {op.operand(0)}, {{"shape", shape}});
  ir::Value* partial = builder.value(*op.def, {cut}, {{"axes", ir::Integers{1}}});
  return {builder.value(*op.def, {partial}, {{"axes", ir::Integers{0}}})};
}

}  // namespace

bool split_reductions(ir::Function& function) {
  return ir::rewrite(function.body, split_reduction);
}

}  // namespace pullback::lower
