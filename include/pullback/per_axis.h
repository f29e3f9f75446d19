// One number for all spatial axes, or one for each: kernel sizes, strides, paddings, dilations.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace pullback {

/// {.stride = 2} or {.stride = {2, 1}}; the axes are in order, outermost first.
class PerAxis {
 public:
  PerAxis() = default;
  template <std::integral T>
  PerAxis(T value) : values_{static_cast<std::int64_t>(value)} {}            // NOLINT: conversion is the point
  PerAxis(std::initializer_list<std::int64_t> values) : values_(values) {}   // NOLINT
  PerAxis(std::vector<std::int64_t> values) : values_(std::move(values)) {}  // NOLINT

  const std::vector<std::int64_t>& values() const { return values_; }
  bool empty() const { return values_.empty(); }

 private:
  std::vector<std::int64_t> values_;
};

}  // namespace pullback
