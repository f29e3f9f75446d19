// Sorting inside a kernel: keys that compare as integers, and a merge sort of keys with their positions in scratch
// memory, O(n log n) and stable.
#pragma once

#include <cstdint>

#include "compiler/ir/kernel/builder.h"

namespace pullback::ops {

/// The dtype of sort_key: i32, or i64 for 64-bit elements.
DType key_dtype(DType dtype);
/// An integer whose order is that of the elements: -0 equals 0, NaN is the largest. `descending`: the reverse order.
kernel::Value* sort_key(kernel::Builder& b, kernel::Value* x, bool descending);

/// A row of at most `capacity` keys and positions in scratch memory.
class RowSorter {
 public:
  RowSorter(kernel::Builder& b, DType key, std::int64_t capacity);

  /// Element i of the row before sorting.
  void put(const kernel::Index& i, kernel::Value* key, kernel::Value* position);
  /// Sorts elements 0..capacity-1 by key; equal keys keep their order.
  void sort();
  /// Element i after sorting.
  kernel::Value* key(const kernel::Index& i) const { return b_.load(keys_, sorted_at_ + i); }
  kernel::Value* position(const kernel::Index& i) const { return b_.load(positions_, sorted_at_ + i); }
  /// Makes elements 0..count-1 of the sorted row the first ones of the next row to be sorted.
  void keep(std::int64_t count);

  /// i32 where that is enough.
  DType position_dtype() const { return position_; }

 private:
  void merge_pass(const kernel::Index& pass);

  kernel::Builder& b_;
  std::int64_t capacity_;
  DType position_;
  int keys_, positions_;  ///< two halves of `capacity` elements; passes go from one to the other
  std::int64_t passes_ = 0;
  std::int64_t sorted_at_;
};

}  // namespace pullback::ops
