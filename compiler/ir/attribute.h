// Attributes: the compile-time arguments of an op, printed between braces.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <pullback/dim.h>
#include <pullback/dtype.h>

#include "compiler/ir/literal.h"

namespace pullback::ir {

using Integers = std::vector<std::int64_t>;

/// Paired axis lists of two operands, printed `[1]x[0]`.
struct AxisPairs {
  Integers lhs, rhs;
  bool operator==(const AxisPairs&) const = default;
};

/// The value of an attribute and how it prints: 3, 0.5, true, "text", [1,2], [1]x[0], f32, shape[batch,3], dense<...>.
using Attribute = std::variant<std::int64_t, double, bool, std::string, Integers, AxisPairs, DType, Shape,
                               std::shared_ptr<const Literal>>;

/// By value; doubles by their bits, literals by contents.
bool equal(const Attribute& a, const Attribute& b);

/// Named attributes in the order in which they were set.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, Attribute>> entries) : entries_(entries) {}

  bool has(const std::string& name) const { return find(name) != nullptr; }
  const Attribute* find(const std::string& name) const;
  void set(const std::string& name, Attribute value);
  void erase(const std::string& name);
  void reserve(std::size_t entries) { entries_.reserve(entries); }
  const std::vector<std::pair<std::string, Attribute>>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }

  /// The attribute as T; throws InternalError when it is missing or of another kind (the op's shape rule has checked).
  template <class T>
  const T& get(const std::string& name) const {
    const Attribute* a = find(name);
    const T* value = a ? std::get_if<T>(a) : nullptr;
    if (!value) missing(name);
    return *value;
  }
  const Integers& integers(const std::string& name) const { return get<Integers>(name); }
  const Shape& shape(const std::string& name) const { return get<Shape>(name); }
  const AxisPairs& pairs(const std::string& name) const { return get<AxisPairs>(name); }
  std::int64_t integer(const std::string& name) const { return get<std::int64_t>(name); }
  const std::string& string(const std::string& name) const { return get<std::string>(name); }
  DType dtype(const std::string& name) const { return get<DType>(name); }
  const Literal& literal(const std::string& name) const { return *get<std::shared_ptr<const Literal>>(name); }

  /// Same names with equal values, in any order.
  bool operator==(const Attributes& other) const;

 private:
  [[noreturn]] static void missing(const std::string& name);
  std::vector<std::pair<std::string, Attribute>> entries_;
};

}  // namespace pullback::ir
