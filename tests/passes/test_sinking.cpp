#include "compiler/passes/passes.h"
#include "tests/passes/pass_testing.h"

namespace pullback {
namespace {

using testing::PassCase;

const PassCase kTransposes[] = {
    {"into a contraction", "%x: f32[4,2], %y: f32[4,3]",
     "%t: f32[2,4] = transpose(%x) {permutation = [1,0]}\n"
     "%r: f32[2,3] = dot_general(%t, %y) {contract = [1]x[0], batch = []x[]}\nreturn r = %r",
     "%r: f32[2,3] = dot_general(%x, %y) {contract = [0]x[0], batch = []x[]}\nreturn r = %r"},
    {"heads of attention", "%q: f32[2,5,3,4], %k: f32[2,6,3,4]",
     "%a: f32[2,3,5,4] = transpose(%q) {permutation = [0,2,1,3]}\n"
     "%b: f32[2,3,6,4] = transpose(%k) {permutation = [0,2,1,3]}\n"
     "%r: f32[2,3,5,6] = dot_general(%a, %b) {contract = [3]x[3], batch = [0,1]x[0,1]}\nreturn r = %r",
     "%r: f32[2,3,5,6] = dot_general(%q, %k) {contract = [3]x[3], batch = [0,2]x[0,2]}\nreturn r = %r"},
    {"not where rows change order", "%x: f32[2,3,4], %y: f32[4,5]",
     "%t: f32[3,2,4] = transpose(%x) {permutation = [1,0,2]}\n"
     "%r: f32[3,2,5] = dot_general(%t, %y) {contract = [2]x[0], batch = []x[]}\nreturn r = %r",
     ""},
    {"out of a contraction", "%x: f32[4,2], %y: f32[4,3]",
     "%d: f32[2,3] = dot_general(%x, %y) {contract = [0]x[0], batch = []x[]}\n"
     "%r: f32[3,2] = transpose(%d) {permutation = [1,0]}\nreturn r = %r",
     "%r: f32[3,2] = dot_general(%y, %x) {contract = [0]x[0], batch = []x[]}\nreturn r = %r"},
    {"into a reduction", "%x: f32[2,3,4]",
     "%t: f32[4,3,2] = transpose(%x) {permutation = [2,1,0]}\n%r: f32[4,2] = reduce_max(%t) {axes = [1]}\nreturn r = "
     "%r",
     "%m: f32[2,4] = reduce_max(%x) {axes = [1]}\n%r: f32[4,2] = transpose(%m) {permutation = [1,0]}\nreturn r = %r"},
    {"not where the order of a sum changes", "%x: f32[2,3]",
     "%t: f32[3,2] = transpose(%x) {permutation = [1,0]}\n%r: f32[] = reduce_sum(%t) {axes = [0,1]}\nreturn r = %r",
     ""},
    {"past a broadcast", "%x: f32[2,3]",
     "%t: f32[3,2] = transpose(%x) {permutation = [1,0]}\n"
     "%r: f32[3,4,2] = broadcast(%t) {shape = shape[3,4,2], dimensions = [0,2]}\nreturn r = %r",
     "%b: f32[2,4,3] = broadcast(%x) {shape = shape[2,4,3], dimensions = [0,2]}\n"
     "%r: f32[3,4,2] = transpose(%b) {permutation = [2,1,0]}\nreturn r = %r"},
    {"past elementwise ops", "%x: f32[2,3], %b: f32[2]",
     "%t: f32[3,2] = transpose(%x) {permutation = [1,0]}\n"
     "%c: f32[3,2] = broadcast(%b) {shape = shape[3,2], dimensions = [1]}\n%s: f32[3,2] = add(%t, %c)\n"
     "%r: f32[3,2] = exp(%s)\nreturn r = %r",
     "%c: f32[2,3] = broadcast(%b) {shape = shape[2,3], dimensions = [0]}\n%s: f32[2,3] = add(%x, %c)\n"
     "%e: f32[2,3] = exp(%s)\n%r: f32[3,2] = transpose(%e) {permutation = [1,0]}\nreturn r = %r"},
    {"two transposes of one kind", "%x: f32[2,3], %y: f32[2,3]",
     "%t: f32[3,2] = transpose(%x) {permutation = [1,0]}\n%u: f32[3,2] = transpose(%y) {permutation = [1,0]}\n"
     "%r: f32[3,2] = mul(%t, %u)\nreturn r = %r",
     "%m: f32[2,3] = mul(%x, %y)\n%r: f32[3,2] = transpose(%m) {permutation = [1,0]}\nreturn r = %r"},
};

const PassCase kBroadcasts[] = {
    {"past elementwise ops", "%x: f32[3], %y: f32[3]",
     "%a: f32[2,3] = broadcast(%x) {shape = shape[2,3], dimensions = [1]}\n"
     "%b: f32[2,3] = broadcast(%y) {shape = shape[2,3], dimensions = [1]}\n%r: f32[2,3] = mul(%a, %b)\nreturn r = %r",
     "%m: f32[3] = mul(%x, %y)\n%r: f32[2,3] = broadcast(%m) {shape = shape[2,3], dimensions = [1]}\nreturn r = %r"},
    {"with a number", "%x: f32[3], %s: f32[]",
     "%a: f32[2,3] = broadcast(%x) {shape = shape[2,3], dimensions = [1]}\n"
     "%b: f32[2,3] = broadcast(%s) {shape = shape[2,3], dimensions = []}\n%r: f32[2,3] = mul(%a, %b)\nreturn r = %r",
     "%b: f32[3] = broadcast(%s) {shape = shape[3], dimensions = []}\n%m: f32[3] = mul(%x, %b)\n"
     "%r: f32[2,3] = broadcast(%m) {shape = shape[2,3], dimensions = [1]}\nreturn r = %r"},
    {"not along different axes", "%x: f32[3], %y: f32[2]",
     "%a: f32[2,3] = broadcast(%x) {shape = shape[2,3], dimensions = [1]}\n"
     "%b: f32[2,3] = broadcast(%y) {shape = shape[2,3], dimensions = [0]}\n%r: f32[2,3] = mul(%a, %b)\nreturn r = %r",
     ""},
    {"a maximum of copies", "%x: f32[3]",
     "%a: f32[2,3] = broadcast(%x) {shape = shape[2,3], dimensions = [1]}\n%r: f32[3] = reduce_max(%a) {axes = [0]}\n"
     "return r = %r",
     "return r = %x"},
    {"a sum of copies", "%s: f32[]",
     "%a: f32[2,3] = broadcast(%s) {shape = shape[2,3], dimensions = []}\n%r: f32[3] = reduce_sum(%a) {axes = [0]}\n"
     "return r = %r",
     "%c: f32[] = constant() {value = dense<f32[]: 2.0>}\n%m: f32[] = mul(%s, %c)\n"
     "%r: f32[3] = broadcast(%m) {shape = shape[3], dimensions = []}\nreturn r = %r"},
    {"a sum over copies and others", "%x: f32[3,4]",
     "%a: f32[2,3,4] = broadcast(%x) {shape = shape[2,3,4], dimensions = [1,2]}\n"
     "%r: f32[4] = reduce_max(%a) {axes = [0,1]}\nreturn r = %r",
     "%r: f32[4] = reduce_max(%x) {axes = [0]}\nreturn r = %r"},
    {"not over no copies", "%s: f32[]",
     "%a: f32[0] = broadcast(%s) {shape = shape[0], dimensions = []}\n%r: f32[] = reduce_sum(%a) {axes = [0]}\n"
     "return r = %r",
     ""},
};

TEST_CASE("transposes sink", "[sink_transposes]") {
  for (const PassCase& test : kTransposes) testing::check_pass(passes::sink_transposes, test);
}

TEST_CASE("broadcasts sink", "[sink_broadcasts]") {
  for (const PassCase& test : kBroadcasts) testing::check_pass(passes::sink_broadcasts, test);
}

TEST_CASE("sinking keeps NaN, infinities and the signs of zeros", "[sink_transposes][sink_broadcasts]") {
  const auto check = [](testing::PassFunction pass, const PassCase& test) {
    const auto before = testing::parse_one(testing::function_text(test.arguments, test.before));
    const auto after = ir::clone(*before);
    pass(*after);
    testing::check_same_meaning(*before, *after, /*zero_signs=*/false);
  };
  for (const PassCase& test : kTransposes) check(passes::sink_transposes, test);
  for (const PassCase& test : kBroadcasts) check(passes::sink_broadcasts, test);
}

}  // namespace
}  // namespace pullback
