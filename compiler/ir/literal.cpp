// Conversions between the element types, with the rounding that `convert` has in generated code.
#include "compiler/ir/literal.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <pullback/error.h>

namespace pullback::ir {

namespace {

// Toward zero, saturated at T's limits; NaN becomes 0.
template <class T>
T saturate(double value) {
  if (std::isnan(value)) return 0;
  // The limits as doubles: the upper one may round up, hence >=.
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

// A 16-bit float with `mantissa_bits` explicit bits of significand; the exponent has the rest.
std::uint16_t round_to_16_bits(double value, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t sign = (bits >> 63) << 15;
  const std::uint64_t infinity = ((std::uint64_t{1} << exponent_bits) - 1) << mantissa_bits;
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  const int exponent = static_cast<int>((bits >> 52) & 0x7ff) - 1023;
  if (std::isnan(value)) {
    const std::uint64_t quiet = std::uint64_t{1} << (mantissa_bits - 1);
    return static_cast<std::uint16_t>(sign | infinity | quiet | (fraction >> (52 - mantissa_bits)));
  }
  if (exponent > bias) return static_cast<std::uint16_t>(sign | infinity);
  const int smallest_normal = 1 - bias;
  const int denormal_shift = exponent < smallest_normal ? smallest_normal - exponent : 0;
  const int shift = 52 - mantissa_bits + denormal_shift;
  if (shift > 54) return static_cast<std::uint16_t>(sign);
  const std::uint64_t significand = fraction | (std::uint64_t{1} << 52);
  std::uint64_t kept = significand >> shift;
  const std::uint64_t dropped = significand & ((std::uint64_t{1} << shift) - 1);
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  if (dropped > half || (dropped == half && (kept & 1))) ++kept;
  // A carry out of the significand moves into the exponent, up to infinity.
  const std::uint64_t exponent_field = denormal_shift ? 0 : static_cast<std::uint64_t>(exponent + bias - 1);
  return static_cast<std::uint16_t>(sign | ((exponent_field << mantissa_bits) + kept));
}

template <class T>
void store(std::byte* bytes, std::int64_t i, T value) {
  std::memcpy(bytes + static_cast<std::size_t>(i) * sizeof(T), &value, sizeof(T));
}

}  // namespace

std::uint16_t to_f16_bits(double value) {
  return round_to_16_bits(value, 10);
}
std::uint16_t to_bf16_bits(double value) {
  return round_to_16_bits(value, 7);
}

double from_f16_bits(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const std::uint64_t fraction = bits & 0x3ff;
  const std::uint64_t sign = static_cast<std::uint64_t>(bits >> 15) << 63;
  if (exponent == 0x1f) return std::bit_cast<double>(sign | (std::uint64_t{0x7ff} << 52) | (fraction << 42));
  const double magnitude = exponent == 0 ? std::ldexp(static_cast<double>(fraction), -24)
                                         : std::ldexp(static_cast<double>(fraction | 0x400), exponent - 25);
  return sign ? -magnitude : magnitude;
}

double from_bf16_bits(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

Literal::Literal(DType element_type, std::vector<std::int64_t> sizes) : dtype(element_type), dims(std::move(sizes)) {
  std::int64_t elements = 1;
  for (const std::int64_t d : dims) {
    if (d < 0 || __builtin_mul_overflow(elements, d, &elements))
      throw Error("constant: a size is negative, or their product too large");
  }
  std::int64_t length = 0;
  if (__builtin_mul_overflow(elements, static_cast<std::int64_t>(size_of(dtype)), &length))
    throw Error("constant: the sizes' product is too large");
  bytes.resize(static_cast<std::size_t>(length));
}

Literal Literal::filled(DType element_type, std::vector<std::int64_t> sizes, double value) {
  Literal result(element_type, std::move(sizes));
  for (std::int64_t i = 0; i < result.size(); ++i) result.set(i, value);
  return result;
}

Literal Literal::filled_integer(DType element_type, std::vector<std::int64_t> sizes, std::int64_t value) {
  Literal result(element_type, std::move(sizes));
  for (std::int64_t i = 0; i < result.size(); ++i) result.set_integer(i, value);
  return result;
}

std::int64_t Literal::size() const {
  return static_cast<std::int64_t>(bytes.size() / size_of(dtype));
}

double Literal::as_double(std::int64_t i) const {
  switch (dtype) {
    case DType::f16:
      return from_f16_bits(data<std::uint16_t>()[i]);
    case DType::bf16:
      return from_bf16_bits(data<std::uint16_t>()[i]);
    case DType::f32:
      return data<float>()[i];
    case DType::f64:
      return data<double>()[i];
    default:
      return static_cast<double>(as_integer(i));
  }
}

std::int64_t Literal::as_integer(std::int64_t i) const {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
      return data<std::uint8_t>()[i];
    case DType::u32:
      return data<std::uint32_t>()[i];
    case DType::i32:
      return data<std::int32_t>()[i];
    case DType::i64:
      return data<std::int64_t>()[i];
    default:
      return saturate<std::int64_t>(as_double(i));
  }
}

void Literal::set(std::int64_t i, double value) {
  switch (dtype) {
    case DType::boolean:
      return store(bytes.data(), i, static_cast<std::uint8_t>(value != 0));
    case DType::u8:
      return store(bytes.data(), i, saturate<std::uint8_t>(value));
    case DType::u32:
      return store(bytes.data(), i, saturate<std::uint32_t>(value));
    case DType::i32:
      return store(bytes.data(), i, saturate<std::int32_t>(value));
    case DType::i64:
      return store(bytes.data(), i, saturate<std::int64_t>(value));
    case DType::f16:
      return store(bytes.data(), i, to_f16_bits(value));
    case DType::bf16:
      return store(bytes.data(), i, to_bf16_bits(value));
    case DType::f32:
      return store(bytes.data(), i, static_cast<float>(value));
    case DType::f64:
      return store(bytes.data(), i, value);
  }
}

void Literal::set_integer(std::int64_t i, std::int64_t value) {
  switch (dtype) {
    case DType::boolean:
      return store(bytes.data(), i, static_cast<std::uint8_t>(value != 0));
    case DType::u8:
      return store(bytes.data(), i, static_cast<std::uint8_t>(value));
    case DType::u32:
      return store(bytes.data(), i, static_cast<std::uint32_t>(value));
    case DType::i32:
      return store(bytes.data(), i, static_cast<std::int32_t>(value));
    case DType::i64:
      return store(bytes.data(), i, value);
    case DType::f32:
      return store(bytes.data(), i, static_cast<float>(value));
    default:
      return set(i, static_cast<double>(value));
  }
}

bool Literal::is_splat() const {
  if (bytes.empty()) return false;
  const std::size_t width = size_of(dtype);
  // All elements equal the first exactly when the bytes equal themselves shifted by one element.
  return std::memcmp(bytes.data(), bytes.data() + width, bytes.size() - width) == 0;
}

}  // namespace pullback::ir
