// Numbers and strings as the text IR spells them. What is written reads back to the same bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/literal.h"

namespace pullback::ir {

/// The shortest text that reads back to `value`, always with a point or an exponent: "1.0", "1e-07", "inf", "nan";
/// a NaN other than the default one carries its bits: "nan(0xfff8000000000001)".
std::string float_text(double value);
/// Element `i` of a literal: "true", "-3", "0.1", "nan(0x7fc1)".
std::string element_text(const Literal& literal, std::int64_t i);
/// In double quotes, with \" \\ \n \t and \xHH for other control characters.
std::string quoted(std::string_view text);

/// Digits alone, as in the name of a value that the user did not name.
bool is_digits(std::string_view text);

/// The inverses; nothing (or false) when `text` is not a number of the type or is out of its range.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_float(std::string_view text);
bool parse_element(Literal& literal, std::int64_t i, std::string_view text);

}  // namespace pullback::ir
