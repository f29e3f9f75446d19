// Products of few rows and a matrix that lies along the sum, as they do: sums run along memory.
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/lower/lower_testing.h"

namespace pullback {
namespace {

using testing::check_lowering;
using testing::parse_function;
using testing::run_schedule;

/// a [batch,m,k] times b [batch,n,k], and what is done with each element of the result `%c`, of `%v` [n] and `%w`, of
/// the result's shape.
struct Product {
  int m = 0, n = 0, k = 0, batch = 1;
  std::string type = "f32", ending = "return c = %c";

  std::string text() const {
    return fmt::format(R"(func @f(%a: {4}[{3},{0},{2}], %b: {4}[{3},{1},{2}], %v: {4}[{1}], %w: {4}[{3},{0},{1}]) {{
      %c: {4}[{3},{0},{1}] = dot_general(%a, %b) {{contract = [2]x[2], batch = [0]x[0]}}
      {5}
    }})",
                       m, n, k, batch, type, ending);
  }
  std::string kernels(const char* target) const {
    return schedule::print(lower::lower(*parse_function(text()), Target::parse(target), {}), {.kernels = true});
  }
};

bool has_tiles(const Product& product, const char* target) {
  return product.kernels(target).find("contract ") != std::string::npos;
}

TEST_CASE("few rows of long sums are dot products", "[lower]") {
  for (const Product& product : {Product{.m = 3, .n = 7, .k = 70},
                                 {.m = 11, .n = 10, .k = 200},
                                 {.m = 8, .n = 64, .k = 64},
                                 {.m = 90, .n = 4, .k = 130},
                                 {.m = 5, .n = 9, .k = 67, .batch = 3},
                                 {.m = 6, .n = 31, .k = 80, .type = "f64"}}) {
    INFO(product.text());
    check_lowering(product.text());
    CHECK_FALSE(has_tiles(product, "x86-64-v3"));
    CHECK_FALSE(has_tiles(product, "x86-64-v4"));
  }
}

TEST_CASE("tiles remain where sums are short, rows are many, or operands lie across or are rounded", "[lower]") {
  for (const Product& product : {Product{.m = 8, .n = 64, .k = 30},
                                 {.m = 12, .n = 64, .k = 60},
                                 {.m = 13, .n = 64, .k = 400},
                                 {.m = 5, .n = 40, .k = 200, .type = "bf16"}}) {
    INFO(product.text());
    check_lowering(product.text());
    CHECK(has_tiles(product, "x86-64-v3"));
  }
  const auto across = parse_function(R"(func @f(%a: f32[8,200], %b: f32[200,40]) {
    %c: f32[8,40] = dot_general(%a, %b) {contract = [1]x[0], batch = []x[]}
    return c = %c
  })");
  CHECK(schedule::print(lower::lower(*across, Target::parse("x86-64-v3"), {}), {.kernels = true}).find("contract ") !=
        std::string::npos);
}

TEST_CASE("dot products are no others where an operand is computed by what could read it alone", "[lower]") {
  const char* text = R"(func @f(%x: f32[4,512], %s: f32[4,512], %b: f32[96,512]) {
    %a: f32[4,512] = mul(%x, %s)
    %c: f32[4,96] = dot_general(%a, %b) {contract = [1]x[1], batch = []x[]}
    return c = %c
  })";
  check_lowering(text);
  for (const bool fuse : {false, true}) {
    const schedule::Module module = lower::lower(*parse_function(text), Target::parse("x86-64-v4"), {.fuse = fuse});
    CHECK(schedule::print(module, {.kernels = true}).find("contract ") == std::string::npos);
  }
}

TEST_CASE("dot products end as tiles do", "[lower]") {
  const std::string ending = R"(%x: f32[1,9,21] = broadcast(%v) {shape = shape[1,9,21], dimensions = [2]}
      %y: f32[1,9,21] = add(%c, %x)
      %z: f32[1,9,21] = tanh(%y)
      %s: f32[1,9,21] = mul(%z, %w)
      return y = %y, s = %s)";
  const Product product{.m = 9, .n = 21, .k = 150, .ending = ending};
  check_lowering(product.text());
  CHECK_FALSE(has_tiles(product, "x86-64-v4"));
}

TEST_CASE("dot products have the same bits in however many parts", "[lower]") {
  for (const Product& product :
       {Product{.m = 4, .n = 603, .k = 130}, {.m = 3, .n = 5, .k = 1000, .batch = 12}, {.m = 3, .n = 24, .k = 9000}}) {
    const auto function = parse_function(product.text());
    std::mt19937 random(1);
    const std::vector<ir::Literal> arguments = testing::random_arguments(*function, random);
    const auto run = [&](lower::Threads threads) {
      const schedule::Module module = lower::lower(*function, Target::parse("x86-64-v4"), {.threads = threads});
      CHECK((threads == lower::Threads::several) == testing::is_parallel(module));
      return run_schedule(module, *function, arguments).results.front().bytes;
    };
    CHECK(run(lower::Threads::one) == run(lower::Threads::several));
  }
}

}  // namespace
}  // namespace pullback
