// All ops by name. The list in registry.cpp is explicit: static initializers vanish from static libraries.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ops/op_def.h"

namespace pullback::ops {

class Registry {
 public:
  /// Throws InternalError when two definitions have one name.
  explicit Registry(std::vector<const OpDef*> ops);

  /// The op called `name`, or null.
  const OpDef* find(std::string_view name) const;
  /// In the order of the list.
  const std::vector<const OpDef*>& all() const { return ops_; }

 private:
  std::vector<const OpDef*> ops_;
  std::unordered_map<std::string_view, const OpDef*> by_name_;
};

/// Pullback's own ops.
const Registry& registry();

}  // namespace pullback::ops
