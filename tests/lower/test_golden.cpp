// The kernels of a few functions for pinned targets, kept as files. PULLBACK_UPDATE_GOLDEN=1 writes them anew.
#include "compiler/driver/compile.h"
#include "tests/lower/lower_testing.h"
#include "tests/oracle/golden.h"

namespace pullback {
namespace {

struct Example {
  const char* name;
  const char* text;
};

// Sizes with a tail for every vector width.
const Example kExamples[] = {
    {"chain", R"(func @chain(%x: f32[37], %y: f32[37]) {
       %a: f32[37] = mul(%x, %y)
       %b: f32[37] = sub(%a, %x)
       %c: f32[37] = maximum(%b, %y)
       %d: f32[37] = sqrt(%c)
       return a = %a, d = %d
     })"},
    {"matmul_bias_relu", R"(func @matmul_bias_relu(%x: f32[6,24], %w: f32[24,40], %b: f32[40]) {
       %h: f32[6,40] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}
       %bb: f32[6,40] = broadcast(%b) {shape = shape[6,40], dimensions = [1]}
       %s: f32[6,40] = add(%h, %bb)
       %zero: f32[] = constant() {value = dense<f32[]: 0.0>}
       %z: f32[6,40] = broadcast(%zero) {shape = shape[6,40], dimensions = []}
       %r: f32[6,40] = maximum(%s, %z)
       return r = %r
     })"},
    {"softmax", R"(func @softmax(%x: f32[5,19]) {
       %m: f32[5] = reduce_max(%x) {axes = [1]}
       %mb: f32[5,19] = broadcast(%m) {shape = shape[5,19], dimensions = [0]}
       %d: f32[5,19] = sub(%x, %mb)
       %e: f32[5,19] = exp(%d)
       %s: f32[5] = reduce_sum(%e) {axes = [1]}
       %sb: f32[5,19] = broadcast(%s) {shape = shape[5,19], dimensions = [0]}
       %r: f32[5,19] = div(%e, %sb)
       return r = %r
     })"},
};

TEST_CASE("kernels for pinned targets are what the files show", "[lower][golden]") {
  for (const Example& example : kExamples)
    for (const char* target : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
      const auto function = testing::parse_function(example.text);
      const std::string text = driver::kernel_text(lower::lower(*function, Target::parse(target)));
      INFO(example.name << " for " << target);
      CHECK(text == testing::golden(std::string("tests/lower/golden/") + example.name + "." + target + ".txt", text));
    }
}

}  // namespace
}  // namespace pullback
