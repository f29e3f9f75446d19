// Expressions: what is computed in place of an anchor. Those that are made of the same ops in the same way, as in
// layers that repeat, are looked at once.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/ir/layout.h"
#include "compiler/lower/access.h"
#include "compiler/lower/group.h"
#include "compiler/lower/key_writer.h"

namespace pullback::lower {

/// Writes down how an op's value is computed: the ops, how they are wired, and where the expression ends. Of equal
/// keys, the values are computed alike, each in its place in values().
class ExpressionWriter {
 public:
  explicit ExpressionWriter(Accesses& accesses) : accesses_(accesses) {}

  /// Adds the op and what it reads, down to the values for which `is_end` holds. With `layouts`, where these lie in
  /// memory.
  template <class IsEnd>
  void write(const ir::Op& op, const IsEnd& is_end, bool layouts) {
    const OpAccess& access = accesses_.of(op);
    key_.address(&access);
    for (const Read& read : access.reads) {
      const ir::Value* operand = op.operand(read.operand);
      const std::size_t number = number_of(operand);
      key_.number(static_cast<std::uint32_t>(number));
      if (number < values_.size()) continue;
      values_.push_back(operand);
      const bool ends = is_end(*operand);
      key_.number(!ends ? Tag::inner : operand->definer && is_leaf(*operand) ? Tag::constant : Tag::end);
      if (!ends)
        write(*operand->definer, is_end, layouts);
      else if (layouts)
        layout(*operand);
    }
  }
  void layout(const ir::Value& value) {
    const bool plain = ir::is_row_major(value);
    key_.number(plain);
    if (!plain) key_.integers(ir::layout_of(value));
  }
  KeyWriter& key() { return key_; }

  /// The values that are read, in the order of their first appearance.
  const std::vector<const ir::Value*>& values() const { return values_; }
  std::size_t number_of(const ir::Value* value) const {
    std::size_t i = 0;
    while (i < values_.size() && values_[i] != value) ++i;
    return i;
  }
  void clear() {
    key_.clear();
    values_.clear();
  }

 private:
  /// What the next numbers of the key are about.
  enum class Tag : std::uint8_t { inner, constant, end };

  Accesses& accesses_;
  KeyWriter key_;
  std::vector<const ir::Value*> values_;
};

/// What is known of an anchor's expression.
struct Expression {
  struct Read {
    std::size_t value = 0;  ///< in the writer's values()
    kernel::Index address;  ///< over the anchor's result and reduced variables
  };
  std::vector<Read> reads;  ///< of anchors and arguments
  /// The group that the anchor is alone.
  Group::Kind kind = Group::Kind::elementwise;
  std::int64_t rows = 0, inner = 1, slabs = 0;
  std::optional<Group::Along> along;
};

/// Finds the reads of `anchor` (an op with an element rule), and makes `group`, which has it as its only anchor, what
/// it is alone. `writer` is used for it. What the addresses point to, `accesses` holds.
std::vector<AnchorRead> start_expression(const ir::Value& anchor, const PointerSet& anchors, Accesses& accesses,
                                         ExpressionWriter& writer, Group& group);

}  // namespace pullback::lower
