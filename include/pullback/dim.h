// Dimensions of shapes: integers, or integer polynomials in named symbols such as batch and time.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pullback {

/// Numbers for symbols: {"batch" -> 128}.
using Bindings = std::map<std::string, std::int64_t>;

/// An integer polynomial in named symbols; most are plain numbers. Compared by value.
class Dim {
 public:
  Dim() = default;
  template <std::integral T>
  Dim(T constant) : constant_(static_cast<std::int64_t>(constant)) {}  // NOLINT: conversion is the point
  /// The polynomial `name`. Throws Error unless `name` is an identifier.
  static Dim symbol(const std::string& name);

  bool is_constant() const { return !symbolic_; }
  /// The number; throws Error naming the symbols when it is not one.
  std::int64_t constant() const {
    if (symbolic_) has_no_number();
    return constant_;
  }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b);
  /// this / divisor when the division leaves no remainder as polynomials, else nothing.
  std::optional<Dim> divided_by(const Dim& divisor) const;

  /// Replaces the symbols that `bindings` names.
  Dim substitute(const Bindings& bindings) const;
  std::set<std::string> symbols() const;
  /// "128", "batch", "batch*time+1"; the inverse is parse().
  std::string to_string() const;
  /// Throws Error on malformed text.
  static Dim parse(const std::string& text);

 private:
  [[noreturn]] void has_no_number() const;

  using Monomial = std::vector<std::string>;            // sorted symbol names, repeated for powers; empty: the constant
  using Polynomial = std::map<Monomial, std::int64_t>;  // no zero coefficients
  static Dim from(Polynomial polynomial);
  Polynomial polynomial() const;

  std::int64_t constant_ = 0;                   // used when symbolic_ is null
  std::shared_ptr<const Polynomial> symbolic_;  // at least one non-constant monomial
};

/// A named dimension: its number is given when the program is bound to data.
inline Dim dim(const std::string& name) {
  return Dim::symbol(name);
}

/// Sizes of a tensor's axes, outermost first. {} is a scalar.
using Shape = std::vector<Dim>;

/// "[batch,784]".
std::string to_string(const Shape& shape);

}  // namespace pullback
