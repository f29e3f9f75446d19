// Text of one function, parsed.
#pragma once

#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"

namespace pullback::test {

inline std::unique_ptr<ir::Function> parse_one(const std::string& text) {
  auto functions = ir::parse(text, ops::registry());
  REQUIRE(functions.size() == 1);
  return std::move(functions.front());
}

}  // namespace pullback::test
