// Conversions between element types, and elements as text.
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "compiler/ir/element_text.h"

using namespace pullback;
using namespace pullback::ir;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double quiet_nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("16-bit floats round to nearest even") {
  CHECK(to_f16_bits(1.0) == 0x3c00);
  CHECK(to_f16_bits(1.0 + 0x1p-11) == 0x3c00);      // tie, to even
  CHECK(to_f16_bits(1.0 + 3 * 0x1p-11) == 0x3c02);  // tie, to even
  CHECK(to_f16_bits(1.0 + 0x1p-11 + 0x1p-40) == 0x3c01);
  CHECK(to_f16_bits(65504.0) == 0x7bff);
  CHECK(to_f16_bits(65519.9) == 0x7bff);
  CHECK(to_f16_bits(65520.0) == 0x7c00);
  CHECK(to_f16_bits(0x1p-24) == 0x0001);
  CHECK(to_f16_bits(0x1p-25) == 0x0000);
  CHECK(to_f16_bits(0x1.8p-25) == 0x0001);
  CHECK(to_f16_bits(1e-300) == 0x0000);
  CHECK(to_f16_bits(-0.0) == 0x8000);
  CHECK(to_f16_bits(-inf) == 0xfc00);
  CHECK(to_f16_bits(quiet_nan) == 0x7e00);
  CHECK(to_bf16_bits(1.0) == 0x3f80);
  CHECK(to_bf16_bits(3.5e38) == 0x7f80);
  CHECK(to_bf16_bits(0x1p-133) == 0x0001);
}

TEST_CASE("every 16-bit float converts to double and back") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const double half = from_f16_bits(pattern), brain = from_bf16_bits(pattern);
    if (!std::isnan(half)) CHECK(to_f16_bits(half) == pattern);
    if (!std::isnan(brain)) CHECK(to_bf16_bits(brain) == pattern);
  }
}

TEST_CASE("conversion to integers saturates, between integers it wraps") {
  CHECK(Literal::filled(i32, {1}, 3e9).as_integer(0) == std::numeric_limits<std::int32_t>::max());
  CHECK(Literal::filled(i64, {1}, -1e30).as_integer(0) == std::numeric_limits<std::int64_t>::min());
  CHECK(Literal::filled(i64, {1}, 9.3e18).as_integer(0) == std::numeric_limits<std::int64_t>::max());
  CHECK(Literal::filled(u8, {1}, -2.5).as_integer(0) == 0);
  CHECK(Literal::filled(u32, {1}, 2.9).as_integer(0) == 2);
  CHECK(Literal::filled(i32, {1}, quiet_nan).as_integer(0) == 0);
  CHECK(Literal::filled(boolean, {1}, 0.5).as_integer(0) == 1);
  CHECK(Literal::filled_integer(u8, {1}, 257).as_integer(0) == 1);
  CHECK(Literal::filled_integer(f32, {1}, 16777217).as_double(0) == 16777216.0);
}

TEST_CASE("splats are recognized by their bits") {
  CHECK(Literal(f32, {3}).is_splat());
  CHECK(Literal(f32, {}).is_splat());
  CHECK_FALSE(Literal(f32, {0}).is_splat());
  Literal zeros(f32, {2});
  zeros.set(1, -0.0);
  CHECK_FALSE(zeros.is_splat());
}

TEST_CASE("floats print shortest, always recognizable as floats") {
  CHECK(float_text(1) == "1.0");
  CHECK(float_text(0.1) == "0.1");
  CHECK(float_text(-0.0) == "-0.0");
  CHECK(float_text(1e300) == "1e+300");
  CHECK(float_text(inf) == "inf");
  CHECK(float_text(-inf) == "-inf");
  CHECK(float_text(quiet_nan) == "nan");
  CHECK(float_text(-quiet_nan) == "nan(0xfff8000000000000)");
  CHECK(element_text(Literal::filled(f32, {1}, 0.1), 0) == "0.1");
  CHECK(element_text(Literal::filled(boolean, {1}, 1), 0) == "true");
  CHECK(quoted("a\"b\\c\n\x01") == "\"a\\\"b\\\\c\\n\\x01\"");
}

TEST_CASE("any bits of any type read back from their text") {
  std::mt19937_64 random(1);
  for (const DType dtype : {u8, u32, i32, i64, f16, bf16, f32, f64})
    for (int round = 0; round < 2000; ++round) {
      Literal value(dtype, {});
      const std::uint64_t bits = round % 4 ? random() : ~(random() >> 12);  // often infinite or NaN
      std::memcpy(value.bytes.data(), &bits, value.bytes.size());
      Literal again(dtype, {});
      INFO(name_of(dtype) << " " << element_text(value, 0));
      CHECK(parse_element(again, 0, element_text(value, 0)));
      CHECK(again == value);
    }
}

TEST_CASE("text that is no element is refused") {
  Literal byte(u8, {}), flag(boolean, {}), real(f32, {});
  CHECK_FALSE(parse_element(byte, 0, "256"));
  CHECK_FALSE(parse_element(byte, 0, "-1"));
  CHECK_FALSE(parse_element(byte, 0, "1.0"));
  CHECK_FALSE(parse_element(flag, 0, "1"));
  CHECK_FALSE(parse_element(real, 0, "infinity"));
  CHECK_FALSE(parse_element(real, 0, "nan(0x1)"));  // the bits of a number
  CHECK_FALSE(parse_element(real, 0, "nan(0x1ffffffff)"));
  CHECK_FALSE(parse_element(real, 0, "1e999"));
  CHECK_FALSE(parse_element(real, 0, ""));
}
