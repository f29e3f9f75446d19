// Where values went: from those of one region to those of another.
#pragma once

#include <initializer_list>
#include <utility>

#include "compiler/ir/graph.h"
#include "compiler/support/pointer_map.h"

namespace pullback::ir {

class ValueMap {
 public:
  ValueMap() = default;
  ValueMap(std::initializer_list<std::pair<const Value*, Value*>> entries) {
    for (const auto& [from, to] : entries) map_[from] = to;
  }
  /// The entry of `value`, null when it is new. Good until the next one is made.
  Value*& operator[](const Value* value) { return map_[value]; }
  /// Null when there is none.
  Value* find(const Value* value) const {
    Value* const* found = map_.find(value);
    return found ? *found : nullptr;
  }
  bool contains(const Value* value) const { return find(value) != nullptr; }
  /// Throws InternalError when there is none.
  Value* at(const Value* value) const {
    if (Value* found = find(value)) return found;
    throw InternalError("a value was not mapped" + (value->name.empty() ? std::string() : ": " + value->name));
  }
  /// Room for so many entries in all.
  void reserve(std::size_t entries) { map_.reserve(entries); }

 private:
  PointerMap<Value*> map_;
};

}  // namespace pullback::ir
