// Each op is looked up by what it is and reads; an equal one that came before replaces it.
#include <algorithm>
#include <functional>
#include <unordered_map>

#include "compiler/ir/prune.h"
#include "compiler/ir/rewriter.h"
#include "compiler/ops/op_def.h"
#include "compiler/passes/passes.h"
#include "compiler/support/pointer_map.h"

namespace pullback::passes {
namespace {

void mix(std::size_t& hash, std::size_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
}

/// The operands, the first two in the order of their addresses where order does not matter (only looked up, never
/// printed).
class CanonicalOperands {
 public:
  explicit CanonicalOperands(const ir::Op& op) : operands_(op.operands) {
    swapped_ = op.def->traits.commutative && operands_.size() >= 2 && std::less<>()(operands_[1], operands_[0]);
  }
  std::size_t size() const { return operands_.size(); }
  const ir::Value* operator[](std::size_t i) const { return operands_[swapped_ && i < 2 ? 1 - i : i]; }
  bool operator==(const CanonicalOperands& other) const {
    if (size() != other.size()) return false;
    for (std::size_t i = 0; i < size(); ++i)
      if ((*this)[i] != other[i]) return false;
    return true;
  }

 private:
  const std::vector<ir::Value*>& operands_;
  bool swapped_ = false;
};

std::size_t hash_of(const ir::Op& op) {
  std::size_t hash = std::hash<const void*>()(op.def);
  const CanonicalOperands operands(op);
  for (std::size_t i = 0; i < operands.size(); ++i) mix(hash, std::hash<const void*>()(operands[i]));
  for (const auto& [name, attribute] : op.attributes.entries()) {
    if (const auto* integer = std::get_if<std::int64_t>(&attribute)) mix(hash, static_cast<std::size_t>(*integer));
    if (const auto* list = std::get_if<ir::Integers>(&attribute))
      for (const std::int64_t i : *list) mix(hash, static_cast<std::size_t>(i));
    if (const auto* literal = std::get_if<std::shared_ptr<const ir::Literal>>(&attribute)) {
      const auto& bytes = (*literal)->bytes;
      for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 32); ++i)
        mix(hash, static_cast<std::size_t>(bytes[i]));
    }
  }
  return hash;
}

bool same(const ir::Op& a, const ir::Op& b) {
  return a.def == b.def && CanonicalOperands(a) == CanonicalOperands(b) && a.attributes == b.attributes;
}

bool run(ir::Region& region) {
  bool changed = false;
  std::unordered_multimap<std::size_t, const ir::Op*> seen(region.ops.size());
  PointerMap<ir::Value*> replaced;
  const auto update = [&](std::vector<ir::Value*>& values) {
    for (ir::Value*& value : values)
      if (ir::Value* const* entry = replaced.find(value)) value = *entry;
  };
  for (const auto& op : region.ops) {
    update(op->operands);
    for (const auto& nested : op->regions) changed |= run(*nested);
    if (!op->regions.empty() || ir::has_effect(*op)) continue;
    const std::size_t hash = hash_of(*op);
    const auto [first, last] = seen.equal_range(hash);
    const auto match = std::find_if(first, last, [&](const auto& entry) { return same(*entry.second, *op); });
    if (match == last) {
      seen.emplace(hash, op.get());
      continue;
    }
    for (std::size_t i = 0; i < op->results.size(); ++i) {
      ir::Value* kept = match->second->result(i);
      if (kept->name.empty()) kept->name = op->result(i)->name;
      replaced[op->result(i)] = kept;
    }
    changed = true;
  }
  update(region.results);
  return changed;
}

}  // namespace

bool cse(ir::Function& function) {
  const bool changed = run(function.body);
  if (changed) ir::remove_unread_ops(function.body);
  return changed;
}

}  // namespace pullback::passes
