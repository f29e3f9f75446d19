#include "compiler/ir/cursor.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include <pullback/error.h>

namespace pullback::ir {

namespace {

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void Cursor::skip_space() {
  while (offset_ < text_.size()) {
    if (std::isspace(static_cast<unsigned char>(text_[offset_]))) {
      ++offset_;
    } else if (peek() == '/' && peek(1) == '/') {
      offset_ = std::min(text_.find('\n', offset_), text_.size());
    } else {
      return;
    }
  }
}

bool Cursor::at_end() {
  skip_space();
  return offset_ == text_.size();
}

bool Cursor::at(char c) {
  skip_space();
  return offset_ < text_.size() && text_[offset_] == c;
}

std::size_t Cursor::position() {
  skip_space();
  return offset_;
}

bool Cursor::accept(char c) {
  if (!at(c)) return false;
  ++offset_;
  return true;
}

bool Cursor::accept_word(std::string_view expected) {
  const std::size_t begin = position();
  if (word() == expected) return true;
  offset_ = begin;
  return false;
}

void Cursor::expect(char c, std::string_view after) {
  if (!accept(c)) fail(fmt::format("expected '{}' {}", c, after));
}

std::string_view Cursor::word() {
  const std::size_t begin = position();
  while (offset_ < text_.size() && in_word(text_[offset_])) ++offset_;
  return text_.substr(begin, offset_ - begin);
}

std::string Cursor::name(std::string_view what) {
  if (at('"')) return string(what);
  const std::string_view bare = word();
  if (bare.empty()) fail(fmt::format("expected {}", what));
  return std::string(bare);
}

char Cursor::escaped_character(std::size_t begin) {
  const char c = peek();
  ++offset_;
  switch (c) {
    case '"':
    case '\\':
      return c;
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'x': {
      const int high = hex_digit(peek());
      const int low = high < 0 ? -1 : hex_digit(peek(1));
      if (low < 0) break;
      offset_ += 2;
      return static_cast<char>(high * 16 + low);
    }
    default:
      break;
  }
  fail_at(begin, "unknown escape in a string: \\\" \\\\ \\n \\t and \\xHH are known");
}

std::string Cursor::string(std::string_view what) {
  const std::size_t begin = position();
  if (!accept('"')) fail(fmt::format("expected {} in double quotes", what));
  std::string result;
  while (peek() != '"') {
    if (offset_ >= text_.size() || peek() == '\n') fail_at(begin, "the string does not end on its line");
    const std::size_t here = offset_;
    const char c = text_[offset_++];
    result += c == '\\' ? escaped_character(here) : c;
  }
  ++offset_;
  return result;
}

std::string_view Cursor::number() {
  const std::size_t begin = position();
  if (peek() == '-') ++offset_;
  while (in_word(peek()) || ((peek() == '-' || peek() == '+') && offset_ > begin && text_[offset_ - 1] == 'e'))
    ++offset_;
  if (text_.substr(begin, offset_ - begin) == "nan" && peek() == '(') {
    while (in_word(peek()) || peek() == '(') ++offset_;
    if (peek() == ')') ++offset_;
  }
  return text_.substr(begin, offset_ - begin);
}

std::string_view Cursor::until(std::string_view ends) {
  const std::size_t begin = position();
  int depth = 0;
  while (offset_ < text_.size() && peek() != '\n') {
    if (depth == 0 && ends.find(peek()) != std::string_view::npos) break;
    depth += (peek() == '(') - (peek() == ')');
    ++offset_;
  }
  std::size_t end = offset_;
  while (end > begin && std::isspace(static_cast<unsigned char>(text_[end - 1]))) --end;
  return text_.substr(begin, end - begin);
}

void Cursor::fail(const std::string& message) {
  fail_at(position(), message);
}

void Cursor::fail_at(std::size_t position, const std::string& message) const {
  const std::string_view before = text_.substr(0, position);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  throw Error(fmt::format("{}:{}:{}: {}", file_, line, position - line_begin + 1, message));
}

}  // namespace pullback::ir
