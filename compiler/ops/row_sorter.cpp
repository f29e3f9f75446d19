#include "compiler/ops/row_sorter.h"

#include <limits>

namespace pullback::ops {

using kernel::Index;

DType key_dtype(DType dtype) {
  return dtype == DType::f64 || dtype == DType::i64 ? DType::i64 : DType::i32;
}

kernel::Value* sort_key(kernel::Builder& b, kernel::Value* x, bool descending) {
  const DType key = key_dtype(x->dtype);
  kernel::Value* result = nullptr;
  if (is_float(x->dtype)) {
    if (size_of(x->dtype) < 4) x = b.convert(x, DType::f32);
    // Negative floats order backwards as integers: all bits but the sign are turned.
    const std::int64_t largest =
        key == DType::i64 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int32_t>::max();
    kernel::Value* bits = b.bitcast(b.select(b.eq(x, b.like(x, 0)), b.like(x, 0), x), key);
    kernel::Value* sign = b.sar(bits, b.integer(key, static_cast<std::int64_t>(size_of(key)) * 8 - 1));
    result = b.bit_xor(bits, b.bit_and(sign, b.integer(key, largest)));
    result = b.select(b.is_nan(x), b.integer(key, largest), result);
  } else if (x->dtype == DType::u32) {
    result = b.bit_xor(b.bitcast(x, key), b.integer(key, std::numeric_limits<std::int32_t>::min()));
  } else {
    result = b.convert(x, key);
  }
  return descending ? b.bit_not(result) : result;
}

RowSorter::RowSorter(kernel::Builder& b, DType key, std::int64_t capacity)
    : b_(b),
      capacity_(capacity),
      position_(capacity <= std::numeric_limits<std::int32_t>::max() ? DType::i32 : DType::i64),
      keys_(b.buffer("keys", key, 2 * capacity, kernel::Access::scratch)),
      positions_(b.buffer("positions", position_, 2 * capacity, kernel::Access::scratch)) {
  while (std::int64_t{1} << passes_ < capacity) ++passes_;
  sorted_at_ = passes_ % 2 == 0 ? 0 : capacity;
}

void RowSorter::put(const Index& i, kernel::Value* key, kernel::Value* position) {
  b_.store(keys_, i, key);
  b_.store(positions_, i, b_.convert(position, position_));
}

void RowSorter::keep(std::int64_t count) {
  if (sorted_at_ == 0) return;
  b_.vector_loop("k", count, 16, 1, [&](const Index& i) { put(i, key(i), position(i)); });
}

void RowSorter::sort() {
  if (capacity_ < 2) return;
  b_.serial_loop("pass", passes_, [&](const Index& pass) { merge_pass(pass); });
}

/// Merges neighbouring runs of 2^pass elements. One loop over the places of the result: `left` and `right` are where
/// the two runs stand; at the start of a pair of runs they are set anew.
void RowSorter::merge_pass(const Index& pass) {
  const auto number = [&](std::int64_t n) { return b_.integer(DType::i64, n); };
  const Index from = kernel::mod(pass, 2) * capacity_, to = Index(capacity_) - from;
  kernel::Value* run = b_.shl(number(1), b_.index_value(pass));
  kernel::Value* within_pair = b_.sub(b_.add(run, run), number(1));
  kernel::Value* end = number(capacity_);
  b_.loop("k", capacity_, {}, {{number(0)}, {number(0)}}, [&](const Index& k, const auto& carried) {
    kernel::Value* place = b_.index_value(k);
    kernel::Value* start = b_.bit_and(place, b_.bit_not(within_pair));
    kernel::Value* fresh = b_.eq(place, start);
    kernel::Value* middle = b_.min(b_.add(start, run), end);
    kernel::Value* limit = b_.min(b_.add(b_.add(start, run), run), end);
    kernel::Value* left = b_.select(fresh, start, carried[0]);
    kernel::Value* right = b_.select(fresh, middle, carried[1]);
    const auto at = [&](kernel::Value* i) {
      return from + Index::dynamic(b_.min(i, number(capacity_ - 1)), {0, capacity_ - 1});
    };
    kernel::Value* smaller = b_.lt(b_.load(keys_, at(right)), b_.load(keys_, at(left)));
    kernel::Value* take_right = b_.bit_and(b_.lt(right, limit), b_.bit_or(b_.ge(left, middle), smaller));
    kernel::Value* taken = b_.select(take_right, right, left);
    b_.store(keys_, to + k, b_.load(keys_, at(taken)));
    b_.store(positions_, to + k, b_.load(positions_, at(taken)));
    kernel::Value* step = b_.convert(take_right, DType::i64);
    return std::vector<kernel::Value*>{b_.add(left, b_.sub(number(1), step)), b_.add(right, step)};
  });
}

}  // namespace pullback::ops
