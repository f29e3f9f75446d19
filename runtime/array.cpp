// Array: dense row-major host memory with a dtype and dims.
#include <pullback/array.h>

#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <pullback/error.h>

#include "runtime/memory.h"

namespace pullback {

namespace {

std::string type_name(DType dtype, const std::vector<std::int64_t>& dims) {
  return fmt::format("{}[{}]", name_of(dtype), fmt::join(dims, ","));
}

// The product of dims, checked so that it times the element size fits into 63 bits.
std::int64_t element_count(DType dtype, const std::vector<std::int64_t>& dims) {
  std::int64_t bytes = static_cast<std::int64_t>(size_of(dtype));
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) throw Error(fmt::format("array: {} has a negative size", type_name(dtype, dims)));
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, dim, &bytes)) {
      throw Error(fmt::format("array: {} is too large for memory", type_name(dtype, dims)));
    }
  }
  return empty ? 0 : bytes / static_cast<std::int64_t>(size_of(dtype));
}

template <class T>
T first(const void* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// IEEE 754 binary16 to double, exact.
double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  double magnitude = 0;
  if (exponent == 31) {
    magnitude = mantissa ? std::nan("") : HUGE_VAL;
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, -24);
  } else {
    magnitude = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return bits & 0x8000 ? -magnitude : magnitude;
}

}  // namespace

Array::Array(DType dtype, std::vector<std::int64_t> dims, std::source_location where)
    : dtype_(dtype), dims_(std::move(dims)) {
  detail::with_line(where, [&] {
    size_ = element_count(dtype, dims_);
    data_ = runtime::allocate_zeroed(bytes());
  });
}

Array runtime::lasting_array(DType dtype, std::vector<std::int64_t> dims, FirstWriter writer) {
  Array array;
  array.size_ = element_count(dtype, dims);
  array.dtype_ = dtype;
  array.dims_ = std::move(dims);
  array.data_ = allocate_lasting(array.bytes(), writer);
  return array;
}

Array Array::view(DType dtype, std::vector<std::int64_t> dims, void* data, std::source_location where) {
  Array array;
  array.dtype_ = dtype;
  array.dims_ = std::move(dims);
  array.size_ = detail::with_line(where, [&] { return element_count(dtype, array.dims_); });
  if (!data && array.size_ > 0)
    throw Error(fmt::format("array: {} is a view of no memory", array.type_string()), where);
  array.data_ = {static_cast<std::byte*>(data), [](std::byte*) {}};
  return array;
}

Array Array::copy_of(DType dtype, const void* data, std::size_t count, std::vector<std::int64_t> dims,
                     std::source_location where) {
  const std::int64_t wanted = detail::with_line(where, [&] { return element_count(dtype, dims); });
  if (static_cast<std::size_t>(wanted) != count)
    throw Error(fmt::format("array: {} values given for {}, which has {}", count, type_name(dtype, dims), wanted),
                where);
  Array array(dtype, std::move(dims), where);
  if (count) std::memcpy(array.raw(), data, array.bytes());
  return array;
}

void Array::require(DType wanted, const std::source_location& where) const {
  if (dtype_ != wanted) throw Error(fmt::format("array: {} read as {}", type_string(), name_of(wanted)), where);
}

double Array::item(std::source_location where) const {
  if (size_ != 1) throw Error(fmt::format("array: item() of {}, which has {} elements", type_string(), size_), where);
  switch (dtype_) {
    case DType::boolean:
    case DType::u8:
      return first<std::uint8_t>(raw());
    case DType::u32:
      return first<std::uint32_t>(raw());
    case DType::i32:
      return first<std::int32_t>(raw());
    case DType::i64:
      return static_cast<double>(first<std::int64_t>(raw()));
    case DType::f16:
      return half_to_double(first<std::uint16_t>(raw()));
    case DType::bf16:
      return std::bit_cast<float>(std::uint32_t{first<std::uint16_t>(raw())} << 16);
    case DType::f32:
      return first<float>(raw());
    case DType::f64:
      return first<double>(raw());
  }
  throw InternalError("array: unknown dtype");
}

Array Array::clone() const {
  if (!data_) return *this;  // without elements
  Array array(dtype_, dims_);
  if (size_) std::memcpy(array.raw(), raw(), bytes());
  return array;
}

Array Array::reshape(std::vector<std::int64_t> dims, std::source_location where) const {
  const std::int64_t wanted = detail::with_line(where, [&] { return element_count(dtype_, dims); });
  if (wanted != size_)
    throw Error(fmt::format("array: cannot reshape {} to {}: {} elements against {}", type_string(),
                            type_name(dtype_, dims), size_, wanted),
                where);
  Array array = *this;
  array.dims_ = std::move(dims);
  return array;
}

std::string Array::type_string() const {
  return type_name(dtype_, dims_);
}

}  // namespace pullback
