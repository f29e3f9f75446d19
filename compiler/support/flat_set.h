// Sets and maps of few elements: sorted vectors, which are quicker than trees up to some hundreds. The first elements
// of a set lie in itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

#include "compiler/support/small_vector.h"

namespace pullback {

template <class T>
class FlatSet {
 public:
  using const_iterator = const T*;

  const_iterator begin() const { return elements_.begin(); }
  const_iterator end() const { return elements_.end(); }
  std::size_t size() const { return elements_.size(); }
  bool empty() const { return elements_.empty(); }
  const T& back() const { return elements_.back(); }

  bool contains(const T& element) const { return std::binary_search(begin(), end(), element, std::less<>()); }
  /// The first element behind `element`.
  const_iterator upper_bound(const T& element) const {
    return std::upper_bound(begin(), end(), element, std::less<>());
  }
  /// False when it was there.
  bool insert(const T& element) {
    const const_iterator place = std::lower_bound(begin(), end(), element, std::less<>());
    if (place != end() && *place == element) return false;
    const std::ptrdiff_t position = place - begin();
    elements_.push_back(element);
    std::rotate(elements_.begin() + position, elements_.end() - 1, elements_.end());
    return true;
  }
  void insert_all(const FlatSet& other) {
    if (other.empty()) return;
    Elements both;
    both.reserve(size() + other.size());
    std::set_union(begin(), end(), other.begin(), other.end(), std::back_inserter(both), std::less<>());
    elements_ = std::move(both);
  }
  void erase(const T& element) {
    const auto place = std::lower_bound(elements_.begin(), elements_.end(), element, std::less<>());
    if (place == elements_.end() || *place != element) return;
    std::move(place + 1, elements_.end(), place);
    elements_.shrink(size() - 1);
  }

 private:
  using Elements = SmallVector<T, 4>;
  Elements elements_;
};

template <class Key, class T>
class FlatMap {
 public:
  using Entry = std::pair<Key, T>;
  using const_iterator = typename std::vector<Entry>::const_iterator;

  const_iterator begin() const { return entries_.begin(); }
  const_iterator end() const { return entries_.end(); }

  /// The entry of `key`, made if there is none.
  T& operator[](const Key& key) {
    auto place = std::lower_bound(entries_.begin(), entries_.end(), key, is_before);
    if (place == entries_.end() || place->first != key) place = entries_.insert(place, Entry{key, T{}});
    return place->second;
  }
  /// Null when there is none.
  const T* find(const Key& key) const {
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), key, is_before);
    return place != entries_.end() && place->first == key ? &place->second : nullptr;
  }
  const T& at(const Key& key) const {
    if (const T* found = find(key)) return *found;
    throw std::out_of_range("FlatMap::at");
  }
  /// Those that are not there yet.
  void insert_all(const FlatMap& other) {
    std::vector<Entry> both;
    both.reserve(entries_.size() + other.entries_.size());
    std::set_union(begin(), end(), other.begin(), other.end(), std::back_inserter(both),
                   [](const Entry& a, const Entry& b) { return std::less<>()(a.first, b.first); });
    entries_ = std::move(both);
  }

 private:
  static bool is_before(const Entry& entry, const Key& key) { return std::less<>()(entry.first, key); }

  std::vector<Entry> entries_;
};

}  // namespace pullback
