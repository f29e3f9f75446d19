// Structural equality of functions: a walk over both in step, which pairs their values.
#include <algorithm>
#include <unordered_map>

#include "compiler/ir/text.h"

namespace pullback::ir {

namespace {

class Comparison {
 public:
  explicit Comparison(bool with_locations) : with_locations_(with_locations) {}

  bool regions_equal(const Region& a, const Region& b) {
    if (a.arguments.size() != b.arguments.size() || a.ops.size() != b.ops.size()) return false;
    for (std::size_t i = 0; i < a.arguments.size(); ++i)
      if (!pair(*a.arguments[i], *b.arguments[i])) return false;
    for (std::size_t i = 0; i < a.ops.size(); ++i)
      if (!ops_equal(*a.ops[i], *b.ops[i])) return false;
    return paired(a.results, b.results);
  }

 private:
  bool pair(const Value& a, const Value& b) {
    pairs_[&a] = &b;
    return a.type == b.type;
  }

  bool paired(const std::vector<Value*>& a, const std::vector<Value*>& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Value* x, const Value* y) {
      const auto entry = pairs_.find(x);
      return entry != pairs_.end() && entry->second == y;
    });
  }

  bool ops_equal(const Op& a, const Op& b) {
    if (a.def != b.def || !(a.attributes == b.attributes) || !paired(a.operands, b.operands)) return false;
    if (with_locations_ && !(a.location == b.location)) return false;
    if (a.results.size() != b.results.size() || a.regions.size() != b.regions.size()) return false;
    for (std::size_t i = 0; i < a.regions.size(); ++i)
      if (!regions_equal(*a.regions[i], *b.regions[i])) return false;
    for (std::size_t i = 0; i < a.results.size(); ++i)
      if (!pair(*a.results[i], *b.results[i])) return false;
    return true;
  }

  bool with_locations_;
  std::unordered_map<const Value*, const Value*> pairs_;
};

}  // namespace

bool equal(const Function& a, const Function& b, bool with_locations) {
  return a.roles == b.roles && a.results == b.results && Comparison(with_locations).regions_equal(a.body, b.body);
}

}  // namespace pullback::ir
