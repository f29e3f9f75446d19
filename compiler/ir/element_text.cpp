#include "compiler/ir/element_text.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

namespace pullback::ir {

namespace {

// The quiet NaN without sign and payload, which prints as "nan".
constexpr std::uint64_t default_nan(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return 0x7e00;
    case DType::bf16:
      return 0x7fc0;
    case DType::f32:
      return 0x7fc00000;
    default:
      return 0x7ff8000000000000;
  }
}

std::uint64_t bits_of(const Literal& literal, std::int64_t i) {
  std::uint64_t bits = 0;  // little-endian, like the target
  const std::size_t width = size_of(literal.dtype);
  std::memcpy(&bits, literal.bytes.data() + static_cast<std::size_t>(i) * width, width);
  return bits;
}

void set_bits(Literal& literal, std::int64_t i, std::uint64_t bits) {
  const std::size_t width = size_of(literal.dtype);
  std::memcpy(literal.bytes.data() + static_cast<std::size_t>(i) * width, &bits, width);
}

std::string nan_text(DType dtype, std::uint64_t bits) {
  return bits == default_nan(dtype) ? "nan" : fmt::format("nan({:#x})", bits);
}

template <class T>
std::string finite_text(T value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";  // "n": inf
  return text;
}

// The bits of "nan" or "nan(0x...)"; nothing for other text, or for bits that are not a NaN of this type.
std::optional<std::uint64_t> parse_nan(DType dtype, std::string_view text) {
  if (text == "nan") return default_nan(dtype);
  if (!text.starts_with("nan(0x") || !text.ends_with(")")) return std::nullopt;
  text = text.substr(6, text.size() - 7);
  std::uint64_t bits = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (size_of(dtype) < 8 && bits >> (8 * size_of(dtype))) return std::nullopt;
  Literal one(dtype, {});
  set_bits(one, 0, bits);
  return std::isnan(one.as_double(0)) ? std::optional(bits) : std::nullopt;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// from_chars reads "inf" and also "infinity" and "nan(...)": only our own spellings are accepted.
template <class T>
std::optional<T> parse_finite(std::string_view text) {
  if (text == "inf") return std::numeric_limits<T>::infinity();
  if (text == "-inf") return -std::numeric_limits<T>::infinity();
  if (text.find_first_of("nN") != std::string_view::npos) return std::nullopt;
  return parse_number<T>(text);
}

template <class T>
bool store_integer(Literal& literal, std::int64_t i, std::string_view text) {
  const std::optional<T> value = parse_number<T>(text);
  if (value) literal.data<T>()[i] = *value;
  return value.has_value();
}

}  // namespace

std::string float_text(double value) {
  return std::isnan(value) ? nan_text(DType::f64, std::bit_cast<std::uint64_t>(value)) : finite_text(value);
}

std::string element_text(const Literal& literal, std::int64_t i) {
  if (literal.dtype == DType::boolean) return literal.as_integer(i) ? "true" : "false";
  if (!is_float(literal.dtype)) return std::to_string(literal.as_integer(i));
  const double value = literal.as_double(i);
  if (std::isnan(value)) return nan_text(literal.dtype, bits_of(literal, i));
  return literal.dtype == DType::f64 ? finite_text(value) : finite_text(static_cast<float>(value));
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse_number<std::int64_t>(text);
}

std::optional<double> parse_float(std::string_view text) {
  if (const auto bits = parse_nan(DType::f64, text)) return std::bit_cast<double>(*bits);
  return parse_finite<double>(text);
}

bool parse_element(Literal& literal, std::int64_t i, std::string_view text) {
  switch (literal.dtype) {
    case DType::boolean:
      literal.set_integer(i, text == "true");
      return text == "true" || text == "false";
    case DType::u8:
      return store_integer<std::uint8_t>(literal, i, text);
    case DType::u32:
      return store_integer<std::uint32_t>(literal, i, text);
    case DType::i32:
      return store_integer<std::int32_t>(literal, i, text);
    case DType::i64:
      return store_integer<std::int64_t>(literal, i, text);
    default:
      break;
  }
  if (const auto bits = parse_nan(literal.dtype, text)) {
    set_bits(literal, i, *bits);
    return true;
  }
  if (literal.dtype == DType::f32) {  // not by way of f64: that would round twice
    const std::optional<float> value = parse_finite<float>(text);
    if (value) literal.data<float>()[i] = *value;
    return value.has_value();
  }
  const std::optional<double> value = parse_finite<double>(text);
  if (value) literal.set(i, *value);
  return value.has_value();
}

}  // namespace pullback::ir
