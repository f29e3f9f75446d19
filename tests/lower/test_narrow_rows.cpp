// Sums over the rows of narrow matrices, and over all of one: vectors are full.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "compiler/ir/kernel/print.h"
#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::parse_function;

/// Sums of the squared distance of rows from a point, weighted or not, over rows and over everything.
std::string distances(std::int64_t rows, std::int64_t columns, const char* dtype) {
  return fmt::format(R"(func @f(%x: {2}[{0},{1}], %c: {2}[{1}], %w: {2}[{0}]) {{
    %p: {2}[{0},{1}] = broadcast(%c) {{shape = shape[{0},{1}], dimensions = [1]}}
    %d: {2}[{0},{1}] = sub(%x, %p)
    %e: {2}[{0},{1}] = mul(%d, %d)
    %q: {2}[{0},{1}] = broadcast(%w) {{shape = shape[{0},{1}], dimensions = [0]}}
    %f: {2}[{0},{1}] = mul(%x, %q)
    %s: {2}[{1}] = reduce_sum(%e) {{axes = [0]}}
    %m: {2}[{1}] = reduce_max(%x) {{axes = [0]}}
    %t: {2}[{1}] = reduce_sum(%f) {{axes = [0]}}
    %a: {2}[] = reduce_sum(%e) {{axes = [0,1]}}
    %b: {2}[] = reduce_min(%x) {{axes = [0,1]}}
    return s = %s, m = %m, t = %t, a = %a, b = %b
  }})",
                     rows, columns, dtype);
}

std::vector<std::string> each_kernel_of(const std::string& function) {
  const schedule::Module module =
      lower::lower(*parse_function(function), Target::parse("x86-64-v4"), {.threads = lower::Threads::one});
  std::vector<std::string> text;
  for (const auto& kernel : module.kernels) text.push_back(print(*kernel));
  return text;
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("sums over narrow rows, of all counts of rows", "[lower]") {
  for (const std::int64_t columns : {2, 3, 5, 7, 10, 17, 20})
    for (const std::int64_t rows : {8, 31, 64, 129, 300}) {
      INFO(rows << "x" << columns);
      check_lowering(distances(rows, columns, columns == 7 ? "f64" : "f32"));
    }
  check_lowering(distances(129, 3, "bf16"));
  check_lowering(distances(21846, 3, "f32"));  // in slabs
}

TEST_CASE("narrow rows are folded side by side, in full vectors", "[lower]") {
  const auto kernel = [](std::int64_t rows, std::int64_t columns) {
    return each_kernel_of(fmt::format(R"(func @f(%x: f32[{0},{1}]) {{
      %s: f32[{1}] = reduce_sum(%x) {{axes = [0]}}
      return s = %s
    }})",
                                      rows, columns))
        .front();
  };
  CHECK(has(kernel(1000, 3), "in 0..48 width 16"));
  CHECK(has(kernel(1000, 10), "in 0..80 width 16"));
  CHECK(has(kernel(1000, 20), "in 0..80 width 16"));
  CHECK(has(kernel(1000, 32), "in 0..32 width 16"));  // as they are
  CHECK(has(kernel(12, 3), "in 0..3 width 16"));      // few rows
}

TEST_CASE("rows side by side read what they share from one place, and weights of rows keep them apart", "[lower]") {
  const std::string shared = each_kernel_of(R"(func @f(%x: f32[1000,10], %c: f32[10]) {
    %p: f32[1000,10] = broadcast(%c) {shape = shape[1000,10], dimensions = [1]}
    %d: f32[1000,10] = mul(%x, %p)
    %s: f32[10] = reduce_sum(%d) {axes = [0]}
    return s = %s
  })")
                                 .front();
  INFO(shared);
  CHECK(has(shared, "load repeated[j"));
  const std::string weighted = each_kernel_of(R"(func @f(%x: f32[1000,10], %w: f32[1000]) {
    %p: f32[1000,10] = broadcast(%w) {shape = shape[1000,10], dimensions = [0]}
    %d: f32[1000,10] = mul(%x, %p)
    %s: f32[10] = reduce_sum(%d) {axes = [0]}
    return s = %s
  })")
                                   .front();
  INFO(weighted);
  CHECK(has(weighted, "in 0..10 width 16"));
  CHECK(!has(weighted, "floordiv"));
}

TEST_CASE("everything into one: in one loop, or rows first where they share something", "[lower]") {
  const std::vector<std::string> one = each_kernel_of(R"(func @f(%x: f32[1000,3]) {
    %d: f32[1000,3] = mul(%x, %x)
    %s: f32[] = reduce_sum(%d) {axes = [0,1]}
    return s = %s
  })");
  REQUIRE(one.size() == 1);
  CHECK(has(one.front(), "in 0..3000 width 16"));
  const std::vector<std::string> two = each_kernel_of(R"(func @f(%x: f32[1000,3], %c: f32[3]) {
    %p: f32[1000,3] = broadcast(%c) {shape = shape[1000,3], dimensions = [1]}
    %d: f32[1000,3] = mul(%x, %p)
    %s: f32[] = reduce_sum(%d) {axes = [0,1]}
    return s = %s
  })");
  REQUIRE(two.size() == 2);
  CHECK(has(two.front(), "in 0..48 width 16"));
}

TEST_CASE("few columns behind whole vectors of rows that are neighbours", "[lower][contraction]") {
  const auto product = [](std::int64_t rows, std::int64_t columns, std::int64_t depth, const char* dtype) {
    return fmt::format(R"(func @f(%x: {3}[{2},{0}], %y: {3}[{2},{1}], %b: {3}[{1}]) {{
      %h: {3}[{0},{1}] = dot_general(%x, %y) {{contract = [0]x[0], batch = []x[]}}
      %p: {3}[{0},{1}] = broadcast(%b) {{shape = shape[{0},{1}], dimensions = [1]}}
      %s: {3}[{0},{1}] = add(%h, %p)
      %t: {3}[{0},{1}] = tanh(%s)
      return h = %h, t = %t
    }})",
                       rows, columns, depth, dtype);
  };
  for (const std::int64_t rows : {8, 17, 33, 100})
    for (const std::int64_t columns : {9, 17, 18, 20, 33, 35, 66})
      check_lowering(product(rows, columns, 21, rows == 17 ? "f64" : "f32"));
  const auto across = [&](std::int64_t rows, std::int64_t columns) {
    const std::string kernel = each_kernel_of(product(rows, columns, 65, "f32")).front();
    INFO(kernel);
    return has(kernel, fmt::format("contract {}x{} ", columns % 16, rows).c_str());
  };
  CHECK(across(33, 20));
  CHECK(!across(33, 21));
}

}  // namespace
}  // namespace pullback
