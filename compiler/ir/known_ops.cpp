#include "compiler/ir/known_ops.h"

#include <algorithm>
#include <functional>

#include "compiler/ops/op_def.h"

namespace pullback::ir {
namespace {

void mix(std::size_t& hash, std::size_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
}

/// The operands, the first two in the order of their addresses where order does not matter (only looked up, never
/// printed).
class CanonicalOperands {
 public:
  explicit CanonicalOperands(const Op& op) : operands_(op.operands) {
    swapped_ = op.def->traits.commutative && operands_.size() >= 2 && std::less<>()(operands_[1], operands_[0]);
  }
  std::size_t size() const { return operands_.size(); }
  const Value* operator[](std::size_t i) const { return operands_[swapped_ && i < 2 ? 1 - i : i]; }
  bool operator==(const CanonicalOperands& other) const {
    if (size() != other.size()) return false;
    for (std::size_t i = 0; i < size(); ++i)
      if ((*this)[i] != other[i]) return false;
    return true;
  }

 private:
  const std::vector<Value*>& operands_;
  bool swapped_ = false;
};

std::size_t hash_of(const Op& op) {
  std::size_t hash = std::hash<const void*>()(op.def);
  const CanonicalOperands operands(op);
  for (std::size_t i = 0; i < operands.size(); ++i) mix(hash, std::hash<const void*>()(operands[i]));
  for (const auto& [name, attribute] : op.attributes.entries()) {
    if (const auto* integer = std::get_if<std::int64_t>(&attribute)) mix(hash, static_cast<std::size_t>(*integer));
    if (const auto* list = std::get_if<Integers>(&attribute))
      for (const std::int64_t i : *list) mix(hash, static_cast<std::size_t>(i));
    if (const auto* shape = std::get_if<Shape>(&attribute))  // one number is broadcast to many shapes
      for (const Dim& size : *shape) mix(hash, size.is_constant() ? static_cast<std::size_t>(size.constant()) : 0);
    if (const auto* literal = std::get_if<std::shared_ptr<const Literal>>(&attribute)) {
      const auto& bytes = (*literal)->bytes;
      for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 32); ++i)
        mix(hash, static_cast<std::size_t>(bytes[i]));
    }
  }
  return hash * 0x9e3779b97f4a7c15ULL >> 20;  // the lowest bits choose the slot
}

bool same(const Op& a, const Op& b) {
  return a.def == b.def && CanonicalOperands(a) == CanonicalOperands(b) && a.attributes == b.attributes;
}

}  // namespace

Op* KnownOps::find_or_add(Op& op) {
  if (!op.regions.empty() || op.def->traits.effectful) return nullptr;
  if (2 * (size_ + 1) > slots_.size()) grow();
  const std::size_t hash = hash_of(op);
  std::size_t i = hash & (slots_.size() - 1);
  for (; slots_[i].op; i = (i + 1) & (slots_.size() - 1))
    if (slots_[i].hash == hash && same(*slots_[i].op, op)) return slots_[i].op;
  slots_[i] = {hash, &op};
  ++size_;
  return nullptr;
}

void KnownOps::grow() {
  std::vector<Slot> before(slots_.empty() ? 64 : 2 * slots_.size());
  std::swap(before, slots_);
  for (const Slot& slot : before) {
    if (!slot.op) continue;
    std::size_t i = slot.hash & (slots_.size() - 1);
    while (slots_[i].op) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = slot;
  }
}

}  // namespace pullback::ir
