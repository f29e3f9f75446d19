// Constant tensors with known sizes: constants in the graph, operands and results of the reference evaluator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <pullback/dtype.h>

namespace pullback::ir {

/// Dense, row-major. f16 and bf16 elements are their 16-bit patterns.
struct Literal {
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;
  std::vector<std::byte> bytes;

  Literal() = default;
  /// Zero-filled.
  Literal(DType element_type, std::vector<std::int64_t> sizes);
  /// Every element is `value` converted to `element_type` (rounded to nearest even; saturated for integers).
  static Literal filled(DType element_type, std::vector<std::int64_t> sizes, double value);
  static Literal filled_integer(DType element_type, std::vector<std::int64_t> sizes, std::int64_t value);

  std::int64_t size() const;
  /// T must be as wide as the element type: float for f32, std::uint8_t for bool, std::uint16_t for f16 and bf16.
  template <class T>
  T* data() {
    return reinterpret_cast<T*>(bytes.data());
  }
  template <class T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  /// Element `i` as a double (exact but for i64 beyond 2^53) or as an integer (floats are truncated, saturated).
  double as_double(std::int64_t i) const;
  std::int64_t as_integer(std::int64_t i) const;
  /// Stores with the rounding of convert; between integers, set_integer keeps the low bits.
  void set(std::int64_t i, double value);
  void set_integer(std::int64_t i, std::int64_t value);
  /// Are all elements the same bits? True for one element, false for none.
  bool is_splat() const;

  bool operator==(const Literal&) const = default;
};

/// Round to nearest even, as hardware does; NaN stays NaN (quiet).
std::uint16_t to_f16_bits(double value);
double from_f16_bits(std::uint16_t bits);
std::uint16_t to_bf16_bits(double value);
double from_bf16_bits(std::uint16_t bits);

}  // namespace pullback::ir
