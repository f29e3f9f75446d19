#include "compiler/passes/passes.h"
#include "tests/passes/pass_testing.h"

namespace pullback {
namespace {

const testing::PassCase kReduced[] = {
    {"operands are rounded, and so is the result", "%x: f32[4,2], %w: f32[2,3]",
     "%r: f32[4,3] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}\nreturn r = %r",
     "%0: bf16[4,2] = convert(%x) {to = bf16}\n%1: bf16[2,3] = convert(%w) {to = bf16}\n"
     "%2: bf16[4,3] = dot_general(%0, %1) {contract = [1]x[0], batch = []x[]}\n"
     "%r: f32[4,3] = convert(%2) {to = f32}\nreturn r = %r"},
    {"what was rounded already is not rounded again", "%x: bf16[4,2], %w: f32[2,3]",
     "%wide: f32[4,2] = convert(%x) {to = f32}\n"
     "%r: f32[4,3] = dot_general(%wide, %w) {contract = [1]x[0], batch = []x[]}\nreturn r = %r",
     "%0: bf16[2,3] = convert(%w) {to = bf16}\n"
     "%1: bf16[4,3] = dot_general(%x, %0) {contract = [1]x[0], batch = []x[]}\n"
     "%r: f32[4,3] = convert(%1) {to = f32}\nreturn r = %r"},
    {"other types stay", "%x: f64[4,2], %w: f64[2,3]",
     "%r: f64[4,3] = dot_general(%x, %w) {contract = [1]x[0], batch = []x[]}\nreturn r = %r", ""},
    {"what is no contraction stays", "%x: f32[4,2]",
     "%e: f32[4,2] = exp(%x)\n%r: f32[4] = reduce_sum(%e) {axes = [1]}\nreturn r = %r", ""},
};

TEST_CASE("to_bf16: contractions read and give bf16") {
  for (const testing::PassCase& test : kReduced) {
    INFO(test.what);
    testing::check_pass(passes::to_bf16, test);
  }
}

}  // namespace
}  // namespace pullback
