// The bytes that stand for a function: what must change them, and what must not.
#include <catch2/catch.hpp>

#include "compiler/ir/canonical.h"
#include "tests/ir/one_function.h"

using namespace pullback;
using namespace pullback::ir;
using pullback::test::parse_one;

namespace {

std::string bytes_of(const std::string& text) {
  return canonical_bytes(*parse_one(text));
}

// A function with one thing of each kind.
std::string function_text(const std::string& from = "", const std::string& to = "") {
  std::string text = R"(func @f(%x: f32[n,4], state %w: f32[4], %p: bool[]) {
  %c: f32[4] = constant() {value = dense<f32[4]: 1, 2, 3, 4>}
  %a: f32[4] = cond(%p, %w) region(%v: f32[4]) {
    %u: f32[4] = neg(%v)
    return %u
  } region(%v: f32[4]) {
    return %v
  }
  %b: f32[n,4] = broadcast(%a) {shape = shape[n,4], dimensions = [1]}
  %s: f32[n,4] = sub(%b, %x) loc("model.cpp":9, "fc1")
  %r: f32[4] = add(%w, %c)
  check(%p) {message = "p must hold"} loc("model.cpp":12)
  return s = %s, state w = %r
}
)";
  if (!from.empty()) {
    REQUIRE(text.find(from) != std::string::npos);
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

TEST_CASE("canonical bytes change with everything that code depends on") {
  const std::string whole = bytes_of(function_text());
  CHECK(bytes_of(function_text()) == whole);
  CHECK(canonical_bytes(*clone(*parse_one(function_text()))) == whole);
  const std::pair<const char*, const char*> changes[] = {
      {"sub(%b, %x)", "sub(%x, %b)"},
      {"sub(", "mul("},
      {"4>", "5>"},
      {"= neg(", "= abs("},
      {"shape[n,4], dimensions", "shape[n,4], other = 3, dimensions"},
      {"return s = ", "return t = "},
      {"state w = %r", "state w = %c"},
      {"state w = %r", "w = %r"},
      {"p must hold", "p has to hold"},
      {"\"model.cpp\":12", "\"model.cpp\":13"},
      {"[n", "[m"},
      {"%p: bool", "state %p: bool"},
  };
  for (const auto& [from, to] : changes) {
    INFO(from << " -> " << to);
    CHECK(bytes_of(function_text(from, to)) != whole);
  }
}

TEST_CASE("canonical bytes do not change with names inside and lines of ops without effect") {
  const std::string whole = bytes_of(function_text());
  CHECK(bytes_of(function_text("%s", "%difference")) == whole);
  CHECK(bytes_of(function_text("%v", "%weight")) == whole);
  CHECK(bytes_of(function_text("\"model.cpp\":9, \"fc1\"", "\"other.cpp\":1")) == whole);
  CHECK(bytes_of(function_text("@f(", "@g(")) == whole);
}
