#include "compiler/ir/parse_attributes.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include "compiler/ir/element_text.h"

namespace pullback::ir {

namespace {

constexpr std::int64_t largest_constant = std::int64_t{1} << 31;  // elements; a typing error must not eat the memory

}  // namespace

DType AttributeParser::dtype() {
  const std::size_t begin = at_.position();
  const std::string_view word = at_.word();
  const std::optional<DType> result = dtype_from_name(word);
  if (!result) at_.fail_at(begin, fmt::format("expected an element type such as f32, found '{}'", word));
  return *result;
}

Shape AttributeParser::shape(bool of_type) {
  at_.expect('[', "before the sizes of a shape");
  Shape result;
  if (at_.accept(']')) return result;
  do {
    const std::size_t begin = at_.position();
    try {
      result.push_back(Dim::parse(std::string(at_.until(",]"))));
    } catch (const Error& error) {
      at_.fail_at(begin, error.what());
    }
    if (of_type && result.back().is_constant() && result.back().constant() < 0)
      at_.fail_at(begin, "a size is negative");
  } while (at_.accept(','));
  at_.expect(']', "after the sizes of a shape");
  return result;
}

Type AttributeParser::type() {
  const DType element = dtype();
  return {element, shape(true)};
}

std::int64_t AttributeParser::integer(std::string_view what) {
  const std::size_t begin = at_.position();
  const std::string_view text = at_.number();
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value) at_.fail_at(begin, fmt::format("expected {}, found '{}'", what, text));
  return *value;
}

Integers AttributeParser::integers() {
  at_.expect('[', "before a list of integers");
  Integers result;
  if (at_.accept(']')) return result;
  do {
    result.push_back(integer("an integer"));
  } while (at_.accept(','));
  at_.expect(']', "after a list of integers");
  return result;
}

Attributes AttributeParser::attributes() {
  Attributes result;
  if (!at_.accept('{')) return result;
  if (at_.accept('}')) return result;
  do {
    const std::size_t begin = at_.position();
    const std::string name = at_.name("an attribute's name");
    if (result.has(name)) at_.fail_at(begin, fmt::format("attribute '{}' is given twice", name));
    at_.expect('=', "after an attribute's name");
    result.set(name, attribute());
  } while (at_.accept(','));
  at_.expect('}', "after the attributes");
  return result;
}

Attribute AttributeParser::attribute() {
  if (at_.at('"')) return at_.string("a string");
  if (at_.at('[')) {
    Integers lhs = integers();
    if (!at_.accept_word("x")) return lhs;
    return AxisPairs{std::move(lhs), integers()};
  }
  if (at_.accept_word("true")) return true;
  if (at_.accept_word("false")) return false;
  if (at_.accept_word("shape")) return shape(false);
  if (at_.accept_word("dense")) return dense();
  return number_attribute();
}

Attribute AttributeParser::number_attribute() {
  const std::size_t begin = at_.position();
  const std::string_view text = at_.number();
  if (const std::optional<DType> element = dtype_from_name(text)) return *element;
  if (const std::optional<std::int64_t> value = parse_integer(text)) return *value;
  if (const std::optional<double> value = parse_float(text)) return *value;
  at_.fail_at(begin, fmt::format("'{}' is not an attribute: expected a number, true, false, \"text\", [1,2], [1]x[0], "
                                 "an element type, shape[...] or dense<...>",
                                 text));
}

std::shared_ptr<Literal> AttributeParser::empty_literal() {
  const std::size_t begin = at_.position();
  const DType element = dtype();
  const Integers sizes = integers();
  std::int64_t count = 1;
  for (const std::int64_t size : sizes)
    if (size < 0 || __builtin_mul_overflow(count, size, &count) || count > largest_constant)
      at_.fail_at(begin, "a constant's size is negative or too large");
  return std::make_shared<Literal>(element, sizes);
}

std::shared_ptr<const Literal> AttributeParser::dense() {
  at_.expect('<', "after 'dense'");
  std::shared_ptr<Literal> literal = empty_literal();
  at_.expect(':', "after the type of a dense constant");
  const std::size_t begin = at_.position();
  if (at_.accept('@')) {
    literal = resource_named(at_.name("a resource's name"), literal, begin).literal;
  } else {
    dense_elements(*literal);
  }
  at_.expect('>', "after a dense constant");
  return literal;
}

void AttributeParser::dense_elements(Literal& literal) {
  const std::int64_t size = literal.size();
  const bool splat = at_.accept_word("splat");
  std::int64_t count = 0;
  while (!at_.at('>')) {
    if (count > 0) at_.expect(',', "between the elements of a dense constant");
    const std::size_t begin = at_.position();
    if (count == (splat ? 1 : size))
      at_.fail_at(begin, fmt::format("the dense constant has more elements than its {}", splat ? 1 : size));
    const std::string_view text = at_.number();
    Literal element(literal.dtype, {});
    if (!parse_element(element, 0, text))
      at_.fail_at(begin, fmt::format("'{}' is not an element of type {}", text, name_of(literal.dtype)));
    const std::size_t width = element.bytes.size();
    for (std::int64_t i = count; i < (splat ? size : count + 1); ++i)
      std::copy(element.bytes.begin(), element.bytes.end(),
                literal.bytes.begin() + i * static_cast<std::int64_t>(width));
    ++count;
  }
  if (count != (splat ? 1 : size))
    at_.fail(fmt::format("the dense constant has {} elements instead of {}", count, splat ? 1 : size));
}

AttributeParser::Resource& AttributeParser::resource_named(const std::string& name, std::shared_ptr<Literal> literal,
                                                           std::size_t position) {
  Resource& resource = resources_[name];
  if (!resource.literal) {
    resource.literal = std::move(literal);
    resource.referred_at = position;
  } else if (resource.literal->dtype != literal->dtype || resource.literal->dims != literal->dims) {
    at_.fail_at(position, fmt::format("resource @{} has different types in different places", name));
  }
  return resource;
}

void AttributeParser::resource() {
  const std::size_t begin = at_.position();
  at_.expect('@', "before a resource's name");
  const std::string name = at_.name("a resource's name");
  at_.expect(':', "after a resource's name");
  Resource& resource = resource_named(name, empty_literal(), begin);
  if (resource.given) at_.fail_at(begin, fmt::format("resource @{} is given twice", name));
  resource.given = true;
  at_.expect('=', "after a resource's type");
  std::vector<std::byte>& bytes = resource.literal->bytes;
  std::size_t filled = 0;
  while (at_.at('"')) {
    const std::size_t line = at_.position();
    const std::string digits = at_.string("bytes");
    if (digits.size() % 2) at_.fail_at(line, "expected two hexadecimal digits a byte");
    if (filled + digits.size() / 2 > bytes.size())
      at_.fail_at(line, fmt::format("resource @{} has more than {} bytes", name, bytes.size()));
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      unsigned value = 0;
      const auto [end, failure] = std::from_chars(digits.data() + i, digits.data() + i + 2, value, 16);
      if (failure != std::errc() || end != digits.data() + i + 2)
        at_.fail_at(line + 1 + i, "expected two hexadecimal digits a byte");
      bytes[filled++] = static_cast<std::byte>(value);
    }
  }
  if (filled != bytes.size())
    at_.fail_at(begin, fmt::format("resource @{} has {} bytes instead of {}", name, filled, bytes.size()));
}

void AttributeParser::finish() {
  for (const auto& [name, resource] : resources_)
    if (!resource.given) at_.fail_at(resource.referred_at, fmt::format("resource @{} is not given", name));
}

Location AttributeParser::location() {
  Location result;
  at_.expect('(', "after 'loc'");
  std::size_t begin = at_.position();
  if (at_.at('"')) {
    std::string text = at_.string("a file or scope");
    if (at_.accept(':')) {
      begin = at_.position();
      const std::int64_t line = integer("a line number");
      if (line < 0 || line > INT32_MAX) at_.fail_at(begin, "the line number is out of range");
      result.line = SourceLine(std::move(text), static_cast<int>(line));
      if (!at_.accept(',')) return at_.expect(')', "after a location"), result;
      if (at_.at('"')) result.scope = at_.string("a scope");
    } else {
      result.scope = std::move(text);
    }
    if (!result.scope.empty() && !at_.accept(',')) return at_.expect(')', "after a location"), result;
  }
  begin = at_.position();
  result.role = at_.word();
  if (result.role.empty() || !std::isalpha(static_cast<unsigned char>(result.role[0])))
    at_.fail_at(begin, "expected a scope, or a role such as grad");
  if (at_.at('"')) result.origin = at_.string("what the role comes from,");
  at_.expect(')', "after a location");
  return result;
}

}  // namespace pullback::ir
