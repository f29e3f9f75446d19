// Writes what is compared of ops into one text of bytes. What is of no fixed size has its length or count in front, so
// that two things are written alike only if they are alike, as long as the writer's next step follows from those
// before.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "compiler/ir/graph.h"

namespace pullback::lower {

class KeyWriter {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    if (size_ + sizeof value > bytes_.size()) grow(sizeof value);
    std::memcpy(bytes_.data() + size_, &value, sizeof value);
    size_ += sizeof value;
  }
  void address(const void* pointer) { number(std::bit_cast<std::uintptr_t>(pointer)); }
  void bytes(const void* data, std::size_t size) {
    number(size);
    if (size == 0) return;
    if (size_ + size > bytes_.size()) grow(size);
    std::memcpy(bytes_.data() + size_, data, size);
    size_ += size;
  }
  void integers(const std::vector<std::int64_t>& list) { bytes(list.data(), list.size() * sizeof(std::int64_t)); }
  void type(const ir::Type& type);
  /// The op and its attributes.
  void op(const ir::Op& op);

  /// What was written so far; good until more is.
  std::string_view text() const { return {bytes_.data(), size_}; }
  void clear() { size_ = 0; }

 private:
  /// Makes room for so many bytes more.
  void grow(std::size_t size);
  void shape(const Shape& dims);
  void attribute(const ir::Attribute& attribute);

  std::vector<char> bytes_;
  std::size_t size_ = 0;
};

}  // namespace pullback::lower
