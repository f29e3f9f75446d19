#include "compiler/lower/space.h"

#include <algorithm>

#include "compiler/ir/layout.h"
#include "compiler/ops/contexts.h"
#include "compiler/ops/op_def.h"

namespace pullback::lower {
namespace {

using kernel::Index;
using Kind = Group::Kind;
using Along = Group::Along;

/// Reductions that run in one piece, or in few, stay apart from other work on so many positions, which then can run in
/// parallel.
constexpr std::int64_t kManyPositions = 32768;
constexpr std::int64_t kFewPieces = 8;
/// Folds over fewer rows than this are loops inside of elementwise work: the rows are read side by side.
constexpr std::int64_t kFewFoldedRows = 8;
/// Columns that are folded while whole rows are computed.
constexpr std::int64_t kMostFoldedColumns = 8192;

bool has_rows(const Group& group) {
  return std::any_of(group.along.begin(), group.along.end(), [](const auto& a) { return a.second == Along::row; });
}

/// The pieces of a rows group that can run in parallel, about.
std::int64_t pieces_of(const Group& group) {
  if (group.slabs == 0) return group.rows;
  return has_rows(group) ? group.slabs : group.slabs * std::max<std::int64_t>(1, group.inner / 64);
}

/// Both groups' anchors in the space of `rows`, those of `other` (when it is elementwise) all alike.
Group joined(const Group& rows, const Group& other, Along along) {
  Group space = rows;
  for (const ir::Value* anchor : other.anchors) space.along[anchor] = along;
  return space;
}

void join_rows(const Group& a, const Group& b, std::vector<Group>& spaces) {
  if (a.rows != b.rows || a.inner != b.inner || (a.slabs && b.slabs && a.slabs != b.slabs)) return;
  Group space = a;
  space.slabs = std::max(a.slabs, b.slabs);
  space.along.insert_all(b.along);
  spaces.push_back(std::move(space));
}

void join_elementwise(const Group& rows, const Group& other, std::vector<Group>& spaces) {
  if (other.rows == rows.rows * rows.inner) spaces.push_back(joined(rows, other, Along::full));
  if (other.rows == rows.rows) spaces.push_back(joined(rows, other, Along::row));
  if (rows.slabs && other.rows == rows.slabs * rows.inner) spaces.push_back(joined(rows, other, Along::column));
}

/// Does the joint space keep work in one piece that could run in parallel?
bool loses_parallelism(const Group& space, const Group& a, const Group& b) {
  if (space.kind != Kind::rows || pieces_of(space) >= kFewPieces) return false;
  const auto positions = [](const Group& g) { return g.rows * g.inner; };
  for (const Group* g : {&a, &b}) {
    const std::int64_t pieces = g->kind == Kind::rows ? pieces_of(*g) : positions(*g);
    if (positions(*g) >= kManyPositions && pieces >= kFewPieces) return true;
  }
  return false;
}

/// Where what is read lies in memory.
Index place_of(const AnchorRead& read) {
  if (ir::is_row_major(*read.value)) return *read.address;
  const ir::Integers strides = ir::strides_of(*read.value);
  const ops::Indices indices = kernel::unflatten(*read.address, dims_of(*read.value));
  Index place;
  for (std::size_t d = 0; d < indices.size(); ++d) place += indices[d] * strides[d];
  return place;
}

/// Is memory contiguous along the reduction, as behind a transpose? Then vectors belong to it.
bool runs_along_memory(const OpAccess& access, const std::vector<AnchorRead>& reads) {
  int along = 0, across = 0;
  for (const AnchorRead& read : reads)
    if (read.address->depends_on(access.reduced)) ++(place_of(read).is_contiguous_in(access.reduced) ? along : across);
  return along > across;
}

}  // namespace

void find_rows(const ir::Op& op, const OpAccess& access, const std::vector<AnchorRead>& reads, Group& group) {
  if (access.reductions != 1 || access.loops || access.reduced_count < 2) return;
  if (!ir::is_row_major(*op.operand(0))) return;  // rows are neighbours by their indices: not in memory then
  const std::int64_t reduced = access.reduced_count;
  const auto passes = [&](const Index& position) {
    return std::any_of(access.reads.begin(), access.reads.end(),
                       [&](const Read& read) { return read.address == position; });
  };
  const auto become = [&](std::int64_t rows, std::int64_t inner, std::int64_t slabs, Along along) {
    group.kind = Kind::rows;
    group.rows = rows;
    group.inner = inner;
    group.slabs = slabs;
    group.along[op.result()] = along;
  };
  if (passes(access.result_index() * reduced + access.reduced_index()))
    return become(count_of(*op.result()), reduced, 0, Along::row);
  // Partial results stay in scratch in the result's type.
  const bool exact = !is_float(op.result()->type.dtype) || size_of(op.result()->type.dtype) >= 4;
  if (!op.def->traits.reduction || !exact || reduced < kFewFoldedRows || access.reads.empty()) return;
  if (runs_along_memory(access, reads)) return;
  const std::int64_t columns = access.reads.front().address.coefficient(access.reduced);
  if (columns < 2 || count_of(*op.result()) % columns != 0) return;
  Group space;
  space.kind = Kind::rows;
  space.inner = columns;
  space.slabs = count_of(*op.result()) / columns;
  space.rows = space.slabs * reduced;
  space.along[op.result()] = Along::fold;
  if (passes(*position_in_step(space, *op.result(), access, Along::full)))
    become(space.rows, columns, space.slabs, Along::fold);
}

std::vector<Group> joint_spaces(const Group& a, const Group& b) {
  for (const Group* g : {&a, &b})
    if (g->kind == Kind::kernel || g->kind == Kind::control || g->rows == 0) return {};
  if (b.kind == Kind::contraction) return {};
  std::vector<Group> spaces;
  if (a.kind != Kind::rows && b.kind != Kind::rows) {
    if (a.rows == b.rows) spaces.push_back(a);
  } else if (a.kind == Kind::rows && b.kind == Kind::rows) {
    join_rows(a, b, spaces);
  } else if (a.kind == Kind::elementwise || b.kind == Kind::elementwise) {
    join_elementwise(a.kind == Kind::rows ? a : b, a.kind == Kind::rows ? b : a, spaces);
  }
  std::erase_if(spaces, [&](const Group& space) {
    const bool too_wide = space.slabs && has_rows(space) && space.inner > kMostFoldedColumns;
    return too_wide || loses_parallelism(space, a, b);
  });
  for (Group& space : spaces) {
    space.anchors = a.anchors;
    space.anchors.insert(space.anchors.end(), b.anchors.begin(), b.anchors.end());
    space.first = std::min(a.first, b.first);
  }
  return spaces;
}

namespace {

std::int64_t rows_of_slab(const Group& space) {
  return space.rows / std::max<std::int64_t>(space.slabs, 1);
}

/// In a rows group, of an anchor that has elements along `own`.
std::optional<Index> position_in_rows(const Group& space, Along own, const OpAccess& access, Along along) {
  const Index f = access.result_index(), k = access.reduced_index();
  switch (own) {
    case Along::full:
      if (along == Along::full) return f;
      if (along == Along::row) return kernel::floordiv(f, space.inner);
      return std::nullopt;
    case Along::row:
      if (along == Along::row) return f;
      if (along == Along::full && access.reduced_count == space.inner) return f * space.inner + k;
      return std::nullopt;
    case Along::fold: {
      const Index row = kernel::floordiv(f, space.inner) * rows_of_slab(space) + k;
      if (along == Along::full) return row * space.inner + kernel::mod(f, space.inner);
      if (along == Along::row) return row;
      return std::nullopt;
    }
    case Along::column:
      if (along == Along::fold || along == Along::column) return f;
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Index> position_in_step(const Group& space, const ir::Value& anchor, const OpAccess& access,
                                      Along along) {
  return space.kind == Kind::rows ? position_in_rows(space, space.along.at(&anchor), access, along)
                                  : access.result_index();
}

bool Steps::is_in_step(const Group& space, const ir::Value& anchor, const OpAccess& access, Along along,
                       const Index& address) {
  // Mostly it is the element's own, which is told without an Index being made.
  const auto is_own = [&] {
    if (space.kind != Kind::rows) return true;
    const Along own = space.along.at(&anchor);
    return own == along ? own != Along::fold : own == Along::column && along == Along::fold;
  };
  if (access.result.extent != 1 && is_own()) return address.is_variable(access.result);
  if (space.kind != Kind::rows) return access.result_index() == address;
  const Along own = space.along.at(&anchor);
  std::vector<Position>& known = positions_[&access];
  for (const Position& p : known)
    if (p.own == own && p.along == along && p.inner == space.inner && p.rows == rows_of_slab(space))
      return p.position == address;
  known.push_back({own, along, space.inner, rows_of_slab(space), position_in_rows(space, own, access, along)});
  return known.back().position == address;
}

}  // namespace pullback::lower
