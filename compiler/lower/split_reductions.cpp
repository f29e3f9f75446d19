#include "compiler/lower/split_reductions.h"

#include <algorithm>
#include <numeric>

#include "compiler/ir/layout.h"
#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/lower/access.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::lower {
namespace {

constexpr std::int64_t kManyElements = std::int64_t{1} << 16;
constexpr std::int64_t kMostColumns = std::int64_t{1} << 14;
constexpr std::int64_t kFewColumns = 64;
constexpr std::int64_t kMostSlabs = 32, kFewestSlabs = 8, kFewestRows = 16;

using ir::Integers;

/// The largest number of slabs that divides `rows` and leaves each some, or 1.
std::int64_t slabs_of(std::int64_t rows) {
  for (std::int64_t slabs = kMostSlabs; slabs >= kFewestSlabs; --slabs)
    if (rows % slabs == 0 && rows / slabs >= kFewestRows) return slabs;
  return 1;
}

/// How many of the axes are the first ones: 0, 1, ...
std::size_t leading_axes(const Integers& sorted) {
  std::size_t count = 0;
  while (count < sorted.size() && sorted[count] == static_cast<std::int64_t>(count)) ++count;
  return count;
}

/// How many of the axes are the last ones of `rank`.
std::size_t trailing_axes(const Integers& sorted, std::size_t rank) {
  std::size_t count = 0;
  while (count < sorted.size() && sorted[sorted.size() - 1 - count] == static_cast<std::int64_t>(rank - 1 - count))
    ++count;
  return count;
}

/// A fold over the leading axes of [folded, kept] as rows and columns: rows * columns elements, columns a multiple of
/// kept. Whole axes make the columns of a fold of everything; few columns take several rows together.
struct Matrix {
  std::int64_t rows = 1, columns = 1;
};
Matrix matrix_of(const std::vector<std::int64_t>& dims, std::size_t folded_axes) {
  Matrix m;
  for (std::size_t d = 0; d < dims.size(); ++d) (d < folded_axes ? m.rows : m.columns) *= dims[d];
  for (std::size_t d = folded_axes; d-- > 1 && m.rows > 0 && m.columns < kFewColumns;) {
    m.columns *= dims[d];
    m.rows /= dims[d];
  }
  while (m.columns > 1 && 2 * m.columns <= kFewColumns && m.rows % 2 == 0) {
    m.columns *= 2;
    m.rows /= 2;
  }
  return m;
}

/// Everything into one: contiguous slabs.
ir::Value* split_vector(ir::Op& op, std::int64_t elements, ir::Builder& builder) {
  const std::int64_t slabs = slabs_of(elements);
  if (slabs == 1) return nullptr;
  ir::Value* cut = builder.value(ops::op_reshape, {op.operand(0)}, {{"shape", Shape{slabs, elements / slabs}}});
  ir::Value* partial = builder.value(*op.def, {cut}, {{"axes", Integers{1}}});
  return builder.value(*op.def, {partial}, {{"axes", Integers{0}}});
}

ir::Value* split_leading(ir::Op& op, std::size_t folded_axes, ir::Builder& builder) {
  const std::vector<std::int64_t> dims = ir::static_dims(op.operand(0)->type.shape);
  const Matrix matrix = matrix_of(dims, folded_axes);
  const std::int64_t elements = matrix.rows * matrix.columns;
  if (elements < kManyElements) return nullptr;
  if (matrix.columns == 1) return split_vector(op, elements, builder);
  const std::int64_t slabs = slabs_of(matrix.rows);
  if (matrix.columns > kMostColumns || slabs == 1) return nullptr;
  const Shape shape{slabs, matrix.rows / slabs, matrix.columns};
  ir::Value* cut = builder.value(ops::op_reshape, {op.operand(0)}, {{"shape", shape}});
  ir::Value* partial = builder.value(*op.def, {cut}, {{"axes", Integers{1}}});
  std::int64_t kept = 1;
  for (std::size_t d = folded_axes; d < dims.size(); ++d) kept *= dims[d];
  Shape rest{slabs * matrix.columns / kept};
  for (std::size_t d = folded_axes; d < dims.size(); ++d) rest.push_back(dims[d]);
  ir::Value* few = builder.value(ops::op_reshape, {partial}, {{"shape", rest}});
  return builder.value(*op.def, {few}, {{"axes", Integers{0}}});
}

/// The size of what the value's elements read again for each of many rows, as last dimensions that are broadcast along
/// the others; 0: nothing like it.
std::int64_t elements_read_again(const ir::Value& value, int depth = 0) {
  constexpr int kDeepest = 8;
  if (!value.definer || depth == kDeepest) return 0;
  const ir::Op& op = *value.definer;
  if (op.def == &ops::op_broadcast) {
    const std::int64_t elements = count_of(*op.operand(0));
    std::int64_t last = 1;
    const std::vector<std::int64_t> dims = ir::static_dims(value.type.shape);
    for (std::size_t d = dims.size(); d-- > 1 && last < elements;) last *= dims[d];
    return elements > 1 && last == elements && 2 * last <= count_of(value) ? last : 0;
  }
  std::int64_t most = 0;
  if (op.def->traits.elementwise)
    for (const ir::Value* operand : op.operands) most = std::max(most, elements_read_again(*operand, depth + 1));
  return most;
}

/// Everything into one, where rows meet the same few elements: these rows into one first.
ir::Value* split_rows(ir::Op& op, ir::Builder& builder) {
  const std::vector<std::int64_t> dims = ir::static_dims(op.operand(0)->type.shape);
  const std::int64_t again = elements_read_again(*op.operand(0));
  if (again == 0 || again > kFewColumns || count_of(*op.operand(0)) < kFewestRows * again) return nullptr;
  std::int64_t columns = 1;
  std::size_t first = dims.size();
  while (columns < again) columns *= dims[--first];
  Integers rows(first), rest(dims.size() - first);
  std::iota(rows.begin(), rows.end(), 0);
  std::iota(rest.begin(), rest.end(), 0);
  ir::Value* row = builder.value(*op.def, {op.operand(0)}, {{"axes", rows}});
  return builder.value(*op.def, {row}, {{"axes", rest}});
}

/// The fold of a row-major operand.
ir::Value* split_row_major(ir::Op& op, ir::Builder& builder) {
  Integers axes = op.attributes.integers("axes");
  std::sort(axes.begin(), axes.end());
  const std::size_t leading = leading_axes(axes), trailing = trailing_axes(axes, op.operand(0)->type.shape.size());
  if (axes.empty()) return nullptr;
  if (leading == axes.size()) {
    ir::Value* split = split_leading(op, leading, builder);
    return !split && trailing == op.operand(0)->type.shape.size() ? split_rows(op, builder) : split;
  }
  if (trailing == 0 || trailing == axes.size()) return nullptr;
  // Along rows first; what is left folds fewer elements over the other axes.
  const auto last = axes.end() - static_cast<std::ptrdiff_t>(trailing);
  ir::Value* rows = builder.value(*op.def, {op.operand(0)}, {{"axes", Integers(last, axes.end())}});
  return builder.value(*op.def, {rows}, {{"axes", Integers(axes.begin(), last)}});
}

/// The fold of another layout to at most one axis: that of the operand as it lies in memory. With more axes left, the
/// result would have a layout to keep as well.
ir::Value* split_in_memory_order(ir::Op& op, ir::Builder& builder) {
  if (op.result()->type.shape.size() > 1) return nullptr;
  const Integers order = ir::layout_of(*op.operand(0)), axes = op.attributes.integers("axes");
  Integers places;
  for (std::size_t d = 0; d < order.size(); ++d)
    if (std::find(axes.begin(), axes.end(), order[d]) != axes.end()) places.push_back(static_cast<std::int64_t>(d));
  ir::Value* as_it_lies = builder.value(ops::op_transpose, {op.operand(0)}, {{"permutation", order}});
  ir::Value* fold = builder.value(*op.def, {as_it_lies}, {{"axes", places}});
  return split_row_major(*fold->definer, builder);
}

std::vector<ir::Value*> split_reduction(ir::Op& op, ir::Builder& builder) {
  if (!op.def->traits.reduction) return {};
  const DType dtype = op.operand(0)->type.dtype;
  if (is_float(dtype) && size_of(dtype) < 4) return {};  // partial results would be rounded
  ir::Value* result =
      ir::is_row_major(*op.operand(0)) ? split_row_major(op, builder) : split_in_memory_order(op, builder);
  if (!result) return {};
  return {result};
}

}  // namespace

bool split_reductions(ir::Function& function) {
  return ir::rewrite(function.body, split_reduction);
}

}  // namespace pullback::lower
