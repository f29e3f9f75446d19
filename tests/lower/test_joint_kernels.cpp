// What is computed within one kernel: beside a product, and once rather than at each place that reads it.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/lower/lower_testing.h"

using namespace pullback;

namespace {

/// What each kernel computes.
std::vector<std::string> joint_kernels(const std::string& text, const lower::Options& options = {}) {
  const auto function = testing::parse_function(text);
  testing::check_lowering(*function);
  lower::Options apart = options;
  apart.share_kernels = false;
  const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v4"), apart);
  std::vector<std::string> what;
  for (const schedule::KernelCall* call : schedule::calls_of(module)) what.push_back(call->what);
  return what;
}

}  // namespace

TEST_CASE("what reads the same as the end of a product is computed there", "[lower][contraction]") {
  // Both orders of the product and of what joins it; the second result must not come earlier than it is needed.
  const std::string product =
                        "%d: f32[64,48] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}\n"
                        "%g: f32[64,48] = mul(%d, %h)\n",
                    other = "%s: f32[64,48] = neg(%h)\n";
  const auto function = [&](const std::string& body) {
    return "func @f(%x: f32[64,32], %w: f32[32,48], %h: f32[64,48]) {\n" + body + "return g = %g, s = %s\n}";
  };
  CHECK(joint_kernels(function(other + product)) == std::vector<std::string>{"dot_general+neg+mul"});
  CHECK(joint_kernels(function(product + other)) == std::vector<std::string>{"dot_general+mul", "neg"});
  // Under a limit on memory both results need not be there at once.
  CHECK(joint_kernels(function(other + product), {.memory_limit = 1 << 30}).size() == 2);
}

TEST_CASE("what reads an operand of a product, or the same in another order, is computed apart",
          "[lower][contraction]") {
  CHECK(joint_kernels(R"(func @f(%x: f32[48,48], %w: f32[48,48]) {
    %s: f32[48,48] = neg(%x)
    %d: f32[48,48] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    return d = %d, s = %s
  })")
            .size() == 2);
  CHECK(joint_kernels(R"(func @f(%x: f32[48,48], %w: f32[48,48], %h: f32[48,48]) {
    %t: f32[48,48] = transpose(%h) {permutation = [1,0]}
    %s: f32[48,48] = neg(%t)
    %d: f32[48,48] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
    %g: f32[48,48] = mul(%d, %h)
    return g = %g, s = %s
  })")
            .size() == 2);
}

TEST_CASE("what many rows read is computed once", "[lower]") {
  const auto function = [](int rows, const std::string& operand) {
    const std::string shape = "f32[" + std::to_string(rows) + ",600]";
    return "func @f(%w: " + shape + ", %g: f32[600], %h: f32[600]) {\n" +
           "%m: f32[600] = maximum(%g, %h)\n%n: f32[600] = mul(%m, %h)\n%b: " + shape + " = broadcast(" + operand +
           ") {shape = shape[" + std::to_string(rows) + ",600], dimensions = [1]}\n%u: " + shape +
           " = mul(%w, %b)\nreturn u = %u\n}";
  };
  CHECK(joint_kernels(function(800, "%n")) == std::vector<std::string>{"mul+maximum", "mul+broadcast"});
  CHECK(joint_kernels(function(800, "%g")).size() == 1);  // there already
  CHECK(joint_kernels(function(15, "%n")).size() == 1);   // a kernel more costs as much
  // Of a row's number the loop along the row knows as much.
  CHECK(joint_kernels(R"(func @f(%w: f32[600,800], %g: f32[600], %h: f32[600]) {
    %m: f32[600] = maximum(%g, %h)
    %n: f32[600] = mul(%m, %h)
    %b: f32[600,800] = broadcast(%n) {shape = shape[600,800], dimensions = [0]}
    %u: f32[600,800] = mul(%w, %b)
    return u = %u
  })")
            .size() == 1);
}
