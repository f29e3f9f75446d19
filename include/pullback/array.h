// Arrays on the host: what goes into a program and what comes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pullback/dtype.h>

namespace pullback {

class Array;
namespace runtime {
/// Who writes to memory of a State first: who asks for it, at once, or a step, whose pages are brought meanwhile.
enum class FirstWriter : std::uint8_t { owner, step };
/// Internal: an array of zeros for the state of a training, whose memory lies beside that of others (runtime/memory.h).
/// Throws Error for sizes that are negative or too large.
Array lasting_array(DType dtype, std::vector<std::int64_t> dims, FirstWriter writer = FirstWriter::step);
}  // namespace runtime

/// A dense row-major array. Copies share their storage; clone() does not. One that was moved from has no elements.
class Array {
 public:
  Array() = default;
  Array(const Array&) = default;
  Array& operator=(const Array&) = default;
  Array(Array&& other) noexcept
      : dtype_(other.dtype_),
        dims_(std::move(other.dims_)),
        size_(std::exchange(other.size_, 0)),
        data_(std::move(other.data_)) {}
  Array& operator=(Array&& other) noexcept {
    dtype_ = other.dtype_;
    dims_ = std::move(other.dims_);
    size_ = std::exchange(other.size_, 0);
    data_ = std::move(other.data_);
    return *this;
  }
  /// Zero-filled. Throws Error on a negative or overflowing size.
  Array(DType dtype, std::vector<std::int64_t> dims, std::source_location where = std::source_location::current());
  /// Copies `values`, whose count must be the product of `dims` (else Error).
  template <class T>
  static Array from(std::span<const T> values, std::vector<std::int64_t> dims,
                    std::source_location where = std::source_location::current()) {
    return copy_of(dtype_of<T>, values.data(), values.size(), std::move(dims), where);
  }
  template <class T>
  static Array from(const std::vector<T>& values, std::vector<std::int64_t> dims,
                    std::source_location where = std::source_location::current()) {
    return from(std::span<const T>(values), std::move(dims), where);
  }
  template <class T>
  static Array scalar(T value) {
    return copy_of(dtype_of<T>, &value, 1, {}, {});
  }
  /// Borrows memory that outlives the array; element alignment is enough. Throws Error when it is null but for arrays
  /// without elements.
  static Array view(DType dtype, std::vector<std::int64_t> dims, void* data,
                    std::source_location where = std::source_location::current());

  DType dtype() const { return dtype_; }
  const std::vector<std::int64_t>& dims() const { return dims_; }
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * size_of(dtype_); }

  void* raw() { return data_.get(); }
  const void* raw() const { return data_.get(); }
  /// Throws Error when T is not the element type.
  template <class T>
  std::span<T> values(std::source_location where = std::source_location::current()) {
    require(dtype_of<T>, where);
    return {static_cast<T*>(raw()), static_cast<std::size_t>(size_)};
  }
  template <class T>
  std::span<const T> values(std::source_location where = std::source_location::current()) const {
    require(dtype_of<T>, where);
    return {static_cast<const T*>(raw()), static_cast<std::size_t>(size_)};
  }
  /// The only element, converted to double. Throws Error when there is not exactly one.
  double item(std::source_location where = std::source_location::current()) const;
  Array clone() const;
  /// The same elements under other dims of equal product (else Error). Shares storage.
  Array reshape(std::vector<std::int64_t> dims, std::source_location where = std::source_location::current()) const;
  /// "f32[3,4]".
  std::string type_string() const;

 private:
  static Array copy_of(DType dtype, const void* data, std::size_t count, std::vector<std::int64_t> dims,
                       std::source_location where);
  void require(DType wanted, const std::source_location& where) const;
  friend Array runtime::lasting_array(DType dtype, std::vector<std::int64_t> dims, runtime::FirstWriter writer);

  DType dtype_ = DType::f32;
  std::vector<std::int64_t> dims_{0};
  std::int64_t size_ = 0;
  std::shared_ptr<std::byte> data_;  // 64-byte aligned when owned
};

}  // namespace pullback
