// A vector whose first few elements lie in itself: most have no more, and then nothing is allocated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>

namespace pullback {

/// T moves without throwing. Fewer than 2^32 elements.
template <class T, std::size_t N>
class SmallVector {
 public:
  using value_type = T;

  SmallVector() = default;
  SmallVector(std::initializer_list<T> elements) { append(elements.begin(), elements.end()); }
  SmallVector(const SmallVector& other) { append(other.begin(), other.end()); }
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(const SmallVector& other) {
    if (this == &other) return *this;
    clear();
    append(other.begin(), other.end());
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this == &other) return *this;
    release();
    take(other);
    return *this;
  }
  ~SmallVector() { release(); }

  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }

  void reserve(std::size_t capacity) {
    if (capacity > capacity_) move_to(std::allocator<T>().allocate(capacity), capacity);
  }
  void push_back(T element) {
    if (size_ == capacity_) reserve(2 * std::size_t{capacity_});
    std::construct_at(data_ + size_++, std::move(element));
  }
  /// Elements of another container.
  template <class Iterator>
  void append(Iterator first, Iterator last) {
    reserve(size_ + static_cast<std::size_t>(std::distance(first, last)));
    for (; first != last; ++first) std::construct_at(data_ + size_++, *first);
  }
  /// Drops all but the first `size` elements.
  void shrink(std::size_t size) {
    std::destroy(data_ + size, data_ + size_);
    size_ = static_cast<std::uint32_t>(size);
  }
  void clear() { shrink(0); }

 private:
  T* own() { return reinterpret_cast<T*>(storage_); }

  void move_to(T* place, std::size_t capacity) {
    std::uninitialized_move(begin(), end(), place);
    const std::size_t size = size_;
    release();
    data_ = place;
    size_ = static_cast<std::uint32_t>(size);
    capacity_ = static_cast<std::uint32_t>(capacity);
  }
  /// Leaves an empty vector without memory of its own.
  void release() {
    clear();
    if (data_ != own()) std::allocator<T>().deallocate(data_, capacity_);
    data_ = own();
    capacity_ = N;
  }
  /// What `other` holds, into this one that is empty.
  void take(SmallVector& other) {
    if (other.data_ == other.own()) {
      std::uninitialized_move(other.begin(), other.end(), data_);
      size_ = other.size_;
      other.clear();
      return;
    }
    data_ = std::exchange(other.data_, other.own());
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, N);
  }

  alignas(T) std::byte storage_[N * sizeof(T)];  // NOLINT: elements are constructed in it
  T* data_ = own();
  std::uint32_t size_ = 0, capacity_ = N;
};

}  // namespace pullback
