// A place in a text that is being parsed: reads words, strings and numbers, and reports errors by line and column.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pullback::ir {

class Cursor {
 public:
  /// `text` must outlive the cursor; `file` stands in error messages.
  Cursor(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  /// Skips white space and // comments.
  void skip_space();
  /// All of these skip space first.
  bool at_end();
  bool at(char c);
  std::size_t position();
  /// Takes `c` if it is next.
  bool accept(char c);
  /// Takes `word` if it is the whole next word.
  bool accept_word(std::string_view word);
  /// Throws unless `c` is next; `after` says where in the syntax: "after the operands".
  void expect(char c, std::string_view after);
  /// Letters, digits, _ and . ; "" if the next character is none of them.
  std::string_view word();
  /// A word or a quoted string. Throws when neither is next; `what` says what is missing.
  std::string name(std::string_view what);
  /// A string in double quotes. Throws when there is none.
  std::string string(std::string_view what);
  /// What may be a number: sign, digits, letters, point, exponent sign, nan(...).
  std::string_view number();
  /// The text up to the next of `ends` that is outside of parentheses, on the same line.
  std::string_view until(std::string_view ends);

  /// Throws Error("FILE:LINE:COLUMN: message") for the next token, or for an earlier position.
  [[noreturn]] void fail(const std::string& message);
  [[noreturn]] void fail_at(std::size_t position, const std::string& message) const;

 private:
  char peek(std::size_t ahead = 0) const { return offset_ + ahead < text_.size() ? text_[offset_ + ahead] : '\0'; }
  char escaped_character(std::size_t begin);

  std::string_view text_;
  std::string file_;
  std::size_t offset_ = 0;
};

}  // namespace pullback::ir
