// Sets and maps by address for the walks over graphs: one flat table, so that looking a value up among tens of
// thousands touches one line of memory rather than a chain of nodes. Nothing is ever removed, and there is no order to
// depend on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace pullback {

/// From pointers that are not null. References to what it holds are good until the next insertion.
template <class T>
class PointerMap {
 public:
  /// The entry of `key`, made if there is none.
  T& operator[](const void* key) {
    if (3 * (size_ + 1) > 2 * slots_.size()) grow();
    Slot& slot = slots_[place(key)];
    if (!slot.key) {
      slot.key = key;
      ++size_;
      if constexpr (kIsApart) {
        slot.value = static_cast<std::uint32_t>(values_.size());
        values_.emplace_back();
      }
    }
    if constexpr (kIsApart)
      return values_[slot.value];
    else
      return slot.value;
  }
  /// Null when there is none.
  const T* find(const void* key) const {
    if (size_ == 0) return nullptr;
    const Slot& slot = slots_[place(key)];
    if (!slot.key) return nullptr;
    if constexpr (kIsApart)
      return &values_[slot.value];
    else
      return &slot.value;
  }
  bool contains(const void* key) const { return find(key) != nullptr; }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Room for so many entries in all.
  void reserve(std::size_t entries) {
    std::size_t slots = 64;
    while (3 * entries > 2 * slots) slots *= 2;
    if (slots > slots_.size()) resize(slots);
    if constexpr (kIsApart) values_.reserve(entries);
  }

 private:
  /// Large values lie apart, one behind the other: many slots are free.
  static constexpr bool kIsApart = sizeof(T) > 2 * sizeof(void*);
  using Held = std::conditional_t<kIsApart, std::uint32_t, T>;
  struct Slot {
    const void* key = nullptr;
    [[no_unique_address]] Held value = {};
  };

  /// Where the key is, or the free slot where it belongs: a third of the slots or more are free.
  std::size_t place(const void* key) const {
    const std::uint64_t mixed = reinterpret_cast<std::uintptr_t>(key) * 0x9e3779b97f4a7c15u;
    std::size_t i = static_cast<std::size_t>(mixed >> 20) & (slots_.size() - 1);
    while (slots_[i].key && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  void grow() { resize(slots_.empty() ? 64 : 2 * slots_.size()); }
  void resize(std::size_t slots) {
    std::vector<Slot> before(slots);
    std::swap(before, slots_);
    for (Slot& slot : before)
      if (slot.key) slots_[place(slot.key)] = std::move(slot);
  }

  std::vector<Slot> slots_;  ///< a power of two, or none
  std::vector<std::conditional_t<kIsApart, T, char>> values_;
  std::size_t size_ = 0;
};

class PointerSet {
 public:
  PointerSet() = default;
  template <class Range>
  explicit PointerSet(const Range& range) {
    insert_all(range);
  }
  void insert(const void* key) { map_[key]; }
  template <class Range>
  void insert_all(const Range& range) {
    for (const auto* key : range) insert(key);
  }
  bool contains(const void* key) const { return map_.contains(key); }
  std::size_t size() const { return map_.size(); }
  void reserve(std::size_t entries) { map_.reserve(entries); }

 private:
  struct Nothing {};
  PointerMap<Nothing> map_;
};

}  // namespace pullback
