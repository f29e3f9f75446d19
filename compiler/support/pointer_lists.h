// Lists by the addresses of their owners (who reads each value), all of them in one array.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "compiler/support/pointer_map.h"

namespace pullback {

template <class T>
class PointerLists {
 public:
  void add(const void* key, T element) {
    std::size_t& last = last_[key];
    links_.push_back({std::move(element), last});
    last = links_.size();
  }
  /// The elements of `key`, the last that was added first.
  template <class Visit>
  void for_each(const void* key, const Visit& visit) const {
    const std::size_t* last = last_.find(key);
    for (std::size_t i = last ? *last : 0; i > 0; i = links_[i - 1].before) visit(links_[i - 1].element);
  }
  /// In the order in which they were added.
  std::vector<T> of(const void* key) const {
    std::vector<T> elements;
    for_each(key, [&](const T& element) { elements.push_back(element); });
    std::reverse(elements.begin(), elements.end());
    return elements;
  }

 private:
  struct Link {
    T element;
    std::size_t before;  ///< in links_, from 1 on; 0: none
  };

  std::vector<Link> links_;
  PointerMap<std::size_t> last_;  ///< the same numbers
};

}  // namespace pullback
