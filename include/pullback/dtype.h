// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pullback {

/// Element type of a tensor. `boolean` is stored as one byte, 0 or 1.
enum class DType : std::uint8_t { boolean, u8, u32, i32, i64, f16, bf16, f32, f64 };

inline constexpr DType boolean = DType::boolean;
inline constexpr DType u8 = DType::u8;
inline constexpr DType u32 = DType::u32;
inline constexpr DType i32 = DType::i32;
inline constexpr DType i64 = DType::i64;
inline constexpr DType f16 = DType::f16;
inline constexpr DType bf16 = DType::bf16;
inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;

/// Bytes one element occupies.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
    case DType::u8: return 1;
    case DType::f16:
    case DType::bf16: return 2;
    case DType::u32:
    case DType::i32:
    case DType::f32: return 4;
    case DType::i64:
    case DType::f64: return 8;
  }
  return 0;
}

/// The name the IR prints: "f32", "i64", "bool", ...
constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::boolean: return "bool";
    case DType::u8: return "u8";
    case DType::u32: return "u32";
    case DType::i32: return "i32";
    case DType::i64: return "i64";
    case DType::f16: return "f16";
    case DType::bf16: return "bf16";
    case DType::f32: return "f32";
    case DType::f64: return "f64";
  }
  return "?";
}

/// The inverse of name_of; nothing for an unknown name.
constexpr std::optional<DType> dtype_from_name(std::string_view name) {
  for (DType d : {DType::boolean, DType::u8, DType::u32, DType::i32, DType::i64, DType::f16, DType::bf16, DType::f32,
                  DType::f64})
    if (name_of(d) == name) return d;
  return std::nullopt;
}

constexpr bool is_float(DType d) {
  return d == DType::f16 || d == DType::bf16 || d == DType::f32 || d == DType::f64;
}
/// Signed or unsigned integers; not bool.
constexpr bool is_integer(DType d) {
  return d == DType::u8 || d == DType::u32 || d == DType::i32 || d == DType::i64;
}
constexpr bool is_signed(DType d) { return is_float(d) || d == DType::i32 || d == DType::i64; }

/// The DType that stores the C++ type T; f16 and bf16 have no C++ type here.
template <class T>
struct dtype_of_type;
template <> struct dtype_of_type<bool> { static constexpr DType value = DType::boolean; };
template <> struct dtype_of_type<std::uint8_t> { static constexpr DType value = DType::u8; };
template <> struct dtype_of_type<std::uint32_t> { static constexpr DType value = DType::u32; };
template <> struct dtype_of_type<std::int32_t> { static constexpr DType value = DType::i32; };
template <> struct dtype_of_type<std::int64_t> { static constexpr DType value = DType::i64; };
template <> struct dtype_of_type<float> { static constexpr DType value = DType::f32; };
template <> struct dtype_of_type<double> { static constexpr DType value = DType::f64; };
template <class T>
inline constexpr DType dtype_of = dtype_of_type<T>::value;

}  // namespace pullback
