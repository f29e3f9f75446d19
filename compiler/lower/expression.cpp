#include "compiler/lower/expression.h"

#include <memory>
#include <optional>
#include <vector>

#include "compiler/lower/space.h"

namespace pullback::lower {
namespace {

/// Walks an expression, with the position that each of its ops is read at.
class ReadFinder {
 public:
  ReadFinder(const PointerSet& anchors, Accesses& accesses) : anchors_(anchors), accesses_(accesses) {}

  void visit(const ir::Op& op, const kernel::Index* position) {
    const OpAccess& access = accesses_.of(op);
    for (const Read& read : access.reads) {
      const ir::Value* operand = op.operand(read.operand);
      if (operand->definer && is_leaf(*operand)) continue;  // a constant
      // Most ops read where they write.
      std::optional<kernel::Index> elsewhere;
      const kernel::Index* address = position ? position : &read.address;
      if (position && !read.address.is_variable(access.result))
        address = &elsewhere.emplace(substitute(read.address, access.result, *position));
      if (is_leaf(*operand) || anchors_.contains(operand))
        add(found_, operand, *address);
      else if (add(seen_, operand, *address))
        visit(*operand->definer, address);
    }
  }

  struct Found {
    const ir::Value* value;
    kernel::Index address;
  };
  const std::vector<Found>& found() const { return found_; }

 private:
  static bool add(std::vector<Found>& list, const ir::Value* value, const kernel::Index& address) {
    for (const Found& read : list)
      if (read.value == value && read.address == address) return false;
    list.push_back({value, address});
    return true;
  }

  const PointerSet& anchors_;
  Accesses& accesses_;
  std::vector<Found> found_, seen_;
};

std::vector<AnchorRead> reads_of(const Expression& expression, const ExpressionWriter& writer) {
  std::vector<AnchorRead> reads;
  reads.reserve(expression.reads.size());
  for (const Expression::Read& read : expression.reads) reads.push_back({writer.values()[read.value], &read.address});
  return reads;
}

}  // namespace

std::vector<AnchorRead> start_expression(const ir::Value& anchor, const PointerSet& anchors, Accesses& accesses,
                                         ExpressionWriter& writer, Group& group) {
  const ir::Op& op = *anchor.definer;
  const OpAccess& access = accesses.of(op);
  // Whether what is reduced are rows depends on where it lies.
  const bool reduces = access.reductions > 0;
  writer.clear();
  writer.key().number(reduces);
  if (reduces) writer.layout(*op.operand(0));
  writer.write(op, [&](const ir::Value& v) { return is_leaf(v) || anchors.contains(&v); }, reduces);
  auto& expressions = accesses.expressions();
  const auto entry = expressions.find(writer.key().text());
  if (entry != expressions.end()) {
    const Expression& known = *entry->second;
    group.kind = known.kind;
    group.rows = known.rows;
    group.inner = known.inner;
    group.slabs = known.slabs;
    if (known.along) group.along[&anchor] = *known.along;
    return reads_of(known, writer);
  }
  const auto fresh = std::make_shared<Expression>();
  ReadFinder finder(anchors, accesses);
  finder.visit(op, nullptr);
  for (const ReadFinder::Found& found : finder.found())
    fresh->reads.push_back({writer.number_of(found.value), found.address});
  std::vector<AnchorRead> reads = reads_of(*fresh, writer);
  find_rows(op, access, reads, group);
  fresh->kind = group.kind;
  fresh->rows = group.rows;
  fresh->inner = group.inner;
  fresh->slabs = group.slabs;
  if (const Group::Along* along = group.along.find(&anchor)) fresh->along = *along;
  expressions.emplace(writer.key().text(), fresh);
  return reads;
}

}  // namespace pullback::lower
