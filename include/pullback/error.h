// The two kinds of errors: a user's mistake, and a broken invariant of the compiler.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

namespace pullback {

/// A line of the user's program.
struct SourceLine {
  std::string file;  ///< file name without its folder, "" when unknown
  int line = 0;

  SourceLine() = default;
  SourceLine(std::string file_name, int line_number) : file(std::move(file_name)), line(line_number) {}
  SourceLine(const std::source_location& location);  // NOLINT: conversion is the point

  bool known() const { return !file.empty(); }
  /// "model.cpp:12", or "" when unknown.
  std::string to_string() const;
  bool operator==(const SourceLine&) const = default;
};

/// A user's mistake. what() names the op, the shapes and, at its end in parentheses, the user's line.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, SourceLine where = {});
  const SourceLine& where() const { return where_; }

 private:
  SourceLine where_;
};

/// A broken invariant of the compiler: never the user's fault. what() names the stage or pass.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace detail {

/// action(); an Error from deep inside that knows no line gets this one, of the user's call: a SourceLine, or a
/// location that becomes one when it is needed.
template <class Line, class Action>
auto with_line(const Line& line, Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const Error& error) {
    if (error.where().known()) throw;
    throw Error(error.what(), SourceLine(line));
  }
}

}  // namespace detail
}  // namespace pullback
