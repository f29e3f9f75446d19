// What a loop need not do.
#include "compiler/passes/passes.h"
#include "tests/passes/pass_testing.h"

namespace pullback {
namespace {

using testing::PassCase;

TEST_CASE("simplify_loops", "[simplify_loops]") {
  const PassCase cases[] = {
      {"invariant work leaves the loop, what nobody reads goes", "%h: f32[2], %x: f32[3,2], %w: f32[2]",
       "%r: f32[2], %u: f32[2], %y: f32[3,2], %d: f32[3,2] = scan(%h, %w, %x, %w) {length = shape[3], carries = 2, "
       "slices = 1, reverse = false}\n"
       "region(%a: f32[2], %b: f32[2], %s: f32[2], %v: f32[2]) {\n%e: f32[2] = exp(%v)\n%m: f32[2] = mul(%a, %e)\n"
       "%n: f32[2] = add(%m, %s)\n%k: f32[2] = sin(%m)\nreturn %n, %b, %n, %k\n}\n"
       "return r = %r, u = %u, y = %y",
       "%e: f32[2] = exp(%w)\n"
       "%r: f32[2], %y: f32[3,2] = scan(%h, %x, %e) {length = shape[3], carries = 1, slices = 1, reverse = false}\n"
       "region(%a: f32[2], %s: f32[2], %v: f32[2]) {\n%m: f32[2] = mul(%a, %v)\n%n: f32[2] = add(%m, %s)\n"
       "return %n, %n\n}\n"
       "return r = %r, u = %w, y = %y"},
      {"a carry that only carries itself goes", "%h: f32[2], %x: f32[3,2]",
       "%r: f32[2], %u: f32[2] = scan(%h, %h, %x) {length = shape[3], carries = 2, slices = 1, reverse = true}\n"
       "region(%a: f32[2], %b: f32[2], %s: f32[2]) {\n%n: f32[2] = add(%a, %s)\n%k: f32[2] = mul(%b, %s)\n"
       "return %n, %k\n}\nreturn r = %r",
       "%r: f32[2] = scan(%h, %x) {length = shape[3], carries = 1, slices = 1, reverse = true}\n"
       "region(%a: f32[2], %s: f32[2]) {\n%n: f32[2] = add(%a, %s)\nreturn %n\n}\nreturn r = %r"},
      {"equal slices are one value", "%h: f32[2], %g: f32[2]",
       "%x: f32[3,2] = broadcast(%g) {shape = shape[3,2], dimensions = [1]}\n"
       "%r: f32[2] = scan(%h, %x) {length = shape[3], carries = 1, slices = 1, reverse = false}\n"
       "region(%a: f32[2], %s: f32[2]) {\n%n: f32[2] = mul(%a, %s)\nreturn %n\n}\nreturn r = %r",
       "%r: f32[2] = scan(%h, %g) {length = shape[3], carries = 1, slices = 0, reverse = false}\n"
       "region(%a: f32[2], %s: f32[2]) {\n"
       "%b: f32[2] = broadcast(%s) {shape = shape[2], dimensions = [0]}\n"
       "%n: f32[2] = mul(%a, %b)\nreturn %n\n}\nreturn r = %r"},
      {"checks stay", "%h: bool[], %x: bool[3]",
       "%r: bool[] = scan(%h, %x) {length = shape[3], carries = 1, slices = 1, reverse = false}\n"
       "region(%a: bool[], %s: bool[]) {\ncheck(%s) {message = \"no\"}\n%n: bool[] = not(%a)\nreturn %n\n}\n"
       "return r = %r",
       ""},
  };
  for (const PassCase& test : cases) testing::check_pass(passes::simplify_loops, test);
}

}  // namespace
}  // namespace pullback
