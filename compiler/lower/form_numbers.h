// Numbers for the forms of ops: layers that repeat are made of ops of few forms.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "compiler/ir/graph.h"
#include "compiler/lower/key_writer.h"
#include "compiler/support/pointer_map.h"

namespace pullback::lower {

/// Finds what is kept under a text without making a string of it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <class T>
using ByText = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

/// An op's form is all that is known of it without its surroundings: which it is, attributes, types of operands and
/// results, and which operands are one and the same.
class FormNumbers {
 public:
  /// From 1 on, the same for equal forms. 0: the op has regions, which are not compared.
  std::uint32_t of(const ir::Op& op);

 private:
  PointerMap<std::uint32_t> known_;  ///< those of ops, and one more
  ByText<std::uint32_t> numbers_;
  KeyWriter write_;
};

}  // namespace pullback::lower
