// One operation of the kernel IR on bit patterns: the meaning of every opcode that needs no memory.
#include <bit>
#include <cmath>
#include <concepts>
#include <limits>

#include <fmt/format.h>

#include <pullback/error.h>

#include "compiler/ir/kernel/interpret.h"
#include "compiler/ir/literal.h"

namespace pullback::kernel {
namespace {

using Operands = std::span<const std::uint64_t>;

template <class T>
T from_bits(std::uint64_t bits) {
  if constexpr (std::same_as<T, float>)
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  else if constexpr (std::same_as<T, double>)
    return std::bit_cast<double>(bits);
  else
    return static_cast<T>(bits);
}

template <class T>
std::uint64_t to_bits(T value) {
  if constexpr (std::same_as<T, float>)
    return std::bit_cast<std::uint32_t>(value);
  else if constexpr (std::same_as<T, double>)
    return std::bit_cast<std::uint64_t>(value);
  else
    return static_cast<std::make_unsigned_t<T>>(value);
}

[[noreturn]] void unsupported(Opcode opcode, DType dtype) {
  throw InternalError(fmt::format("kernel evaluation: {} is not defined on {}", name_of(opcode), name_of(dtype)));
}

/// IEEE 754-2019 minimum (sign = 1) and maximum (sign = -1).
template <std::floating_point T>
T extremum(T x, T y, bool smaller) {
  if (std::isnan(x) || std::isnan(y)) return x + y;
  if (x == y) return std::signbit(x) == smaller ? x : y;
  return (x < y) == smaller ? x : y;
}

template <std::floating_point T>
std::uint64_t arithmetic(Opcode opcode, DType dtype, Operands in) {
  const T x = from_bits<T>(in[0]);
  const T y = in.size() > 1 ? from_bits<T>(in[1]) : T(0);
  switch (opcode) {
    case Opcode::add:
      return to_bits<T>(x + y);
    case Opcode::sub:
      return to_bits<T>(x - y);
    case Opcode::mul:
      return to_bits<T>(x * y);
    case Opcode::div:
      return to_bits<T>(x / y);
    case Opcode::rem:
      return to_bits<T>(std::fmod(x, y));
    case Opcode::neg:
      return to_bits<T>(-x);
    case Opcode::abs:
      return to_bits<T>(std::fabs(x));
    case Opcode::min:
      return to_bits<T>(extremum(x, y, true));
    case Opcode::max:
      return to_bits<T>(extremum(x, y, false));
    case Opcode::fma:
      return to_bits<T>(std::fma(x, y, from_bits<T>(in[2])));
    case Opcode::scale:
      return to_bits<T>(std::isnan(x) || std::isnan(y) ? x + y : std::ldexp(x, static_cast<int>(y)));
    case Opcode::sqrt:
      return to_bits<T>(std::sqrt(x));
    case Opcode::floor:
      return to_bits<T>(std::floor(x));
    case Opcode::ceil:
      return to_bits<T>(std::ceil(x));
    case Opcode::trunc:
      return to_bits<T>(std::trunc(x));
    case Opcode::round_even:
      return to_bits<T>(std::nearbyint(x));  // the rounding mode is the default everywhere
    default:
      unsupported(opcode, dtype);
  }
}

template <std::integral T>
T divide(T x, T y) {
  if (y == 0) return static_cast<T>(-1);
  if (std::signed_integral<T> && y == static_cast<T>(-1)) return static_cast<T>(0 - static_cast<std::uint64_t>(x));
  return static_cast<T>(x / y);
}

template <std::integral T>
T remainder(T x, T y) {
  if (y == 0) return x;
  if (std::signed_integral<T> && y == static_cast<T>(-1)) return 0;
  return static_cast<T>(x % y);
}

template <std::integral T>
T shift(Opcode opcode, T x, T amount) {
  constexpr int bits = std::numeric_limits<std::make_unsigned_t<T>>::digits;
  const bool inside = amount >= 0 && static_cast<std::uint64_t>(amount) < bits;
  const auto pattern = static_cast<std::make_unsigned_t<T>>(x);
  if (opcode == Opcode::sar) {
    const auto with_sign = static_cast<std::make_signed_t<T>>(x);
    return static_cast<T>(with_sign >> (inside ? static_cast<int>(amount) : bits - 1));
  }
  if (!inside) return 0;
  return static_cast<T>(opcode == Opcode::shl ? static_cast<std::uint64_t>(pattern) << amount : pattern >> amount);
}

template <std::integral T>
std::uint64_t arithmetic(Opcode opcode, DType dtype, Operands in) {
  const T x = from_bits<T>(in[0]);
  const T y = in.size() > 1 ? from_bits<T>(in[1]) : T(0);
  const auto wrap = [](std::uint64_t bits) { return to_bits<T>(static_cast<T>(bits)); };
  switch (opcode) {
    case Opcode::add:
      return wrap(in[0] + in[1]);
    case Opcode::sub:
      return wrap(in[0] - in[1]);
    case Opcode::mul:
      return wrap(in[0] * in[1]);
    case Opcode::div:
      return to_bits<T>(divide(x, y));
    case Opcode::rem:
      return to_bits<T>(remainder(x, y));
    case Opcode::neg:
      return wrap(0 - in[0]);
    case Opcode::abs:
      return x < 0 ? wrap(0 - in[0]) : in[0];
    case Opcode::min:
      return x < y ? in[0] : in[1];
    case Opcode::max:
      return x < y ? in[1] : in[0];
    case Opcode::bit_and:
      return in[0] & in[1];
    case Opcode::bit_or:
      return in[0] | in[1];
    case Opcode::bit_xor:
      return in[0] ^ in[1];
    case Opcode::bit_not:
      return wrap(~in[0]);
    case Opcode::shl:
    case Opcode::shr:
    case Opcode::sar:
      return to_bits<T>(shift(opcode, x, y));
    case Opcode::mulhi:
      if (dtype == DType::u32) return in[0] * in[1] >> 32;
      unsupported(opcode, dtype);
    default:
      unsupported(opcode, dtype);
  }
}

std::uint64_t boolean_arithmetic(Opcode opcode, Operands in) {
  switch (opcode) {
    case Opcode::bit_and:
    case Opcode::min:
      return in[0] & in[1];
    case Opcode::bit_or:
    case Opcode::max:
      return in[0] | in[1];
    case Opcode::bit_xor:
      return in[0] ^ in[1];
    case Opcode::bit_not:
      return in[0] ^ 1;
    default:
      unsupported(opcode, DType::boolean);
  }
}

template <class T>
bool compare(Opcode opcode, Operands in) {
  const T x = from_bits<T>(in[0]), y = from_bits<T>(in[1]);
  switch (opcode) {
    case Opcode::eq:
      return x == y;
    case Opcode::ne:
      return x != y;
    case Opcode::lt:
      return x < y;
    case Opcode::le:
      return x <= y;
    case Opcode::gt:
      return x > y;
    default:
      return x >= y;
  }
}

bool compare(Opcode opcode, DType dtype, Operands in) {
  switch (dtype) {
    case DType::f32:
      return compare<float>(opcode, in);
    case DType::f64:
      return compare<double>(opcode, in);
    case DType::i32:
      return compare<std::int32_t>(opcode, in);
    case DType::i64:
      return compare<std::int64_t>(opcode, in);
    case DType::boolean:
    case DType::u8:
    case DType::u32:
      return compare<std::uint64_t>(opcode, in);
    case DType::f16:
    case DType::bf16:
      break;
  }
  unsupported(opcode, dtype);
}

/// A float of any dtype as a double: exact.
double widen(DType dtype, std::uint64_t bits) {
  switch (dtype) {
    case DType::f16:
      return ir::from_f16_bits(static_cast<std::uint16_t>(bits));
    case DType::bf16:
      return ir::from_bf16_bits(static_cast<std::uint16_t>(bits));
    case DType::f32:
      return from_bits<float>(bits);
    default:
      return from_bits<double>(bits);
  }
}

template <class T>
std::uint64_t saturate(double value) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(value)) return 0;
  if (value <= static_cast<double>(Limits::min())) return to_bits<T>(Limits::min());
  if (value >= static_cast<double>(Limits::max())) return to_bits<T>(Limits::max());
  return to_bits<T>(static_cast<T>(value));
}

std::uint64_t convert_float(DType from, DType to, std::uint64_t bits) {
  const double value = widen(from, bits);
  switch (to) {
    case DType::boolean:
      return value != 0;
    case DType::u8:
      return saturate<std::uint8_t>(value);
    case DType::u32:
      return saturate<std::uint32_t>(value);
    case DType::i32:
      return saturate<std::int32_t>(value);
    case DType::i64:
      return saturate<std::int64_t>(value);
    case DType::f16:
      return ir::to_f16_bits(value);
    case DType::bf16:
      return ir::to_bf16_bits(value);
    case DType::f32:
      return to_bits(static_cast<float>(value));
    case DType::f64:
      return to_bits(value);
  }
  unsupported(Opcode::convert, to);
}

std::uint64_t convert_integer(DType from, DType to, std::uint64_t bits) {
  const std::int64_t value = from == DType::i32 ? from_bits<std::int32_t>(bits) : static_cast<std::int64_t>(bits);
  switch (to) {
    case DType::boolean:
      return value != 0;
    case DType::u8:
      return to_bits(static_cast<std::uint8_t>(value));
    case DType::u32:
      return to_bits(static_cast<std::uint32_t>(value));
    case DType::i32:
      return to_bits(static_cast<std::int32_t>(value));
    case DType::i64:
      return to_bits(value);
    case DType::f16:
      return ir::to_f16_bits(static_cast<float>(value));
    case DType::bf16:
      return ir::to_bf16_bits(static_cast<float>(value));
    case DType::f32:
      return to_bits(static_cast<float>(value));
    case DType::f64:
      return to_bits(static_cast<double>(value));
  }
  unsupported(Opcode::convert, to);
}

}  // namespace

std::uint64_t evaluate(Opcode opcode, DType from, DType to, std::span<const std::uint64_t> operands) {
  if (opcode == Opcode::select) return operands[0] ? operands[1] : operands[2];
  if (opcode == Opcode::bitcast) return operands[0];
  if (opcode == Opcode::convert)
    return is_float(from) ? convert_float(from, to, operands[0]) : convert_integer(from, to, operands[0]);
  if (opcode >= Opcode::eq && opcode <= Opcode::ge) return compare(opcode, from, operands);
  switch (from) {
    case DType::boolean:
      return boolean_arithmetic(opcode, operands);
    case DType::u8:
      return arithmetic<std::uint8_t>(opcode, from, operands);
    case DType::u32:
      return arithmetic<std::uint32_t>(opcode, from, operands);
    case DType::i32:
      return arithmetic<std::int32_t>(opcode, from, operands);
    case DType::i64:
      return arithmetic<std::int64_t>(opcode, from, operands);
    case DType::f32:
      return arithmetic<float>(opcode, from, operands);
    case DType::f64:
      return arithmetic<double>(opcode, from, operands);
    case DType::f16:
    case DType::bf16:
      break;
  }
  unsupported(opcode, from);
}

}  // namespace pullback::kernel
