// Comparison and lookup of attributes.
#include "compiler/ir/attribute.h"

#include <algorithm>
#include <bit>

#include <pullback/error.h>

namespace pullback::ir {

bool equal(const Attribute& a, const Attribute& b) {
  if (a.index() != b.index()) return false;
  if (const double* value = std::get_if<double>(&a))
    return std::bit_cast<std::uint64_t>(*value) == std::bit_cast<std::uint64_t>(std::get<double>(b));
  if (const auto* literal = std::get_if<std::shared_ptr<const Literal>>(&a)) {
    const auto& other = std::get<std::shared_ptr<const Literal>>(b);
    return *literal == other || (*literal && other && **literal == *other);
  }
  return a == b;
}

const Attribute* Attributes::find(const std::string& name) const {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == name; });
  return entry == entries_.end() ? nullptr : &entry->second;
}

void Attributes::set(const std::string& name, Attribute value) {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.first == name; });
  if (entry == entries_.end()) {
    entries_.emplace_back(name, std::move(value));
  } else {
    entry->second = std::move(value);
  }
}

void Attributes::erase(const std::string& name) {
  std::erase_if(entries_, [&](const auto& e) { return e.first == name; });
}

bool Attributes::operator==(const Attributes& other) const {
  return entries_.size() == other.entries_.size() && std::all_of(entries_.begin(), entries_.end(), [&](const auto& e) {
           const Attribute* counterpart = other.find(e.first);
           return counterpart && equal(e.second, *counterpart);
         });
}

void Attributes::missing(const std::string& name) {
  throw InternalError("attribute '" + name + "' is missing or of another kind");
}

}  // namespace pullback::ir
