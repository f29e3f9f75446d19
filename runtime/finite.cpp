#include "runtime/finite.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace pullback::runtime {

namespace {

// Infinities and NaN are the numbers whose exponent, `mask`, has all bits set.
template <class Bits>
bool not_finite(const std::byte* at, Bits mask) {
  Bits bits;
  std::memcpy(&bits, at, sizeof bits);
  return (bits & mask) == mask;
}

// Block by block, so that the loop over a block has no exit and is done with vectors.
template <class Bits>
std::optional<std::int64_t> first_of(const std::byte* data, std::int64_t size, Bits mask) {
  constexpr std::int64_t kBlock = 1024;
  for (std::int64_t begin = 0; begin < size; begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, size);
    Bits bad = 0;
    for (std::int64_t i = begin; i < end; ++i) bad |= static_cast<Bits>(not_finite(data + i * sizeof(Bits), mask));
    if (!bad) continue;
    std::int64_t at = begin;
    while (!not_finite(data + at * sizeof(Bits), mask)) ++at;
    return at;
  }
  return {};
}

}  // namespace

std::optional<std::int64_t> first_not_finite(const Array& array) {
  const auto* data = static_cast<const std::byte*>(array.raw());
  switch (array.dtype()) {
    case DType::f16:
      return first_of(data, array.size(), std::uint16_t{0x7c00});
    case DType::bf16:
      return first_of(data, array.size(), std::uint16_t{0x7f80});
    case DType::f32:
      return first_of(data, array.size(), std::uint32_t{0x7f800000});
    case DType::f64:
      return first_of(data, array.size(), std::uint64_t{0x7ff0000000000000});
    default:
      return {};
  }
}

double element_of(const Array& array, std::int64_t position) {
  auto* data = static_cast<std::byte*>(const_cast<void*>(array.raw()));
  return Array::view(array.dtype(), {}, data + position * static_cast<std::int64_t>(size_of(array.dtype()))).item();
}

}  // namespace pullback::runtime
