#include "compiler/passes/passes.h"
#include "tests/passes/pass_testing.h"

namespace pullback {
namespace {

using testing::PassCase;

// Functions of f32 %x, %y [6], i32 %i, %j [6], bool %p, %q [6]; numbers are broadcast scalars.
#define NUMBER(name, dtype, text)                                           \
  "%" name ".s: " dtype "[] = constant() {value = dense<" dtype "[]: " text \
  ">}\n"                                                                    \
  "%" name ": " dtype "[6] = broadcast(%" name ".s) {shape = shape[6], dimensions = []}\n"

constexpr const char* kArguments = "%x: f32[6], %y: f32[6], %i: i32[6], %j: i32[6], %p: bool[6], %q: bool[6]";

const PassCase kSimplified[] = {
    {"x + -0", kArguments, NUMBER("c", "f32", "-0.0") "%r: f32[6] = add(%x, %c)\nreturn r = %r", "return r = %x"},
    {"x + +0 is not x for -0", kArguments, NUMBER("c", "f32", "0.0") "%r: f32[6] = add(%x, %c)\nreturn r = %r", ""},
    {"integers have one zero", kArguments, NUMBER("c", "i32", "0") "%r: i32[6] = add(%c, %i)\nreturn r = %r",
     "return r = %i"},
    {"x - 0", kArguments, NUMBER("c", "f32", "0.0") "%r: f32[6] = sub(%x, %c)\nreturn r = %r", "return r = %x"},
    {"x - x may be NaN", kArguments, "%r: f32[6] = sub(%x, %x)\nreturn r = %r", ""},
    {"x + -y", kArguments, "%n: f32[6] = neg(%y)\n%r: f32[6] = add(%x, %n)\nreturn r = %r",
     "%r: f32[6] = sub(%x, %y)\nreturn r = %r"},
    {"x * 1", kArguments, NUMBER("c", "f32", "1.0") "%r: f32[6] = mul(%c, %x)\nreturn r = %r", "return r = %x"},
    {"x * -1", kArguments, NUMBER("c", "f32", "-1.0") "%r: f32[6] = mul(%x, %c)\nreturn r = %r",
     "%r: f32[6] = neg(%x)\nreturn r = %r"},
    {"x * 0 may be NaN", kArguments, NUMBER("c", "f32", "0.0") "%r: f32[6] = mul(%x, %c)\nreturn r = %r", ""},
    {"i * 0", kArguments, NUMBER("c", "i32", "0") "%r: i32[6] = mul(%i, %c)\nreturn r = %r",
     NUMBER("c", "i32", "0") "return r = %c"},
    {"x / 4", kArguments, NUMBER("c", "f32", "4.0") "%r: f32[6] = div(%x, %c)\nreturn r = %r",
     NUMBER("c", "f32", "0.25") "%r: f32[6] = mul(%x, %c)\nreturn r = %r"},
    {"x / 3 rounds", kArguments, NUMBER("c", "f32", "3.0") "%r: f32[6] = div(%x, %c)\nreturn r = %r", ""},
    {"--x", kArguments, "%n: f32[6] = neg(%x)\n%r: f32[6] = neg(%n)\nreturn r = %r", "return r = %x"},
    {"|-x|", kArguments, "%n: f32[6] = neg(%x)\n%r: f32[6] = abs(%n)\nreturn r = %r",
     "%r: f32[6] = abs(%x)\nreturn r = %r"},
    {"maximum(x, x)", kArguments, "%r: f32[6] = maximum(%x, %x)\nreturn r = %r", "return r = %x"},
    {"x^2", kArguments, NUMBER("c", "f32", "2.0") "%r: f32[6] = pow(%x, %c)\nreturn r = %r",
     "%r: f32[6] = mul(%x, %x)\nreturn r = %r"},
    {"select(true, x, y)", kArguments, NUMBER("c", "bool", "true") "%r: f32[6] = select(%c, %x, %y)\nreturn r = %r",
     "return r = %x"},
    {"select(p, x, x)", kArguments, "%r: f32[6] = select(%p, %x, %x)\nreturn r = %r", "return r = %x"},
    {"select(not p, x, y)", kArguments, "%n: bool[6] = not(%p)\n%r: f32[6] = select(%n, %x, %y)\nreturn r = %r",
     "%r: f32[6] = select(%p, %y, %x)\nreturn r = %r"},
    {"i <= i", kArguments, "%r: bool[6] = compare(%i, %i) {direction = \"le\"}\nreturn r = %r",
     NUMBER("c", "bool", "true") "return r = %c"},
    {"x <= x is false for NaN", kArguments, "%r: bool[6] = compare(%x, %x) {direction = \"le\"}\nreturn r = %r", ""},
    {"not x = y", kArguments,
     "%c: bool[6] = compare(%x, %y) {direction = \"eq\"}\n%r: bool[6] = not(%c)\nreturn r = %r",
     "%r: bool[6] = compare(%x, %y) {direction = \"ne\"}\nreturn r = %r"},
    {"not x < y is not x >= y", kArguments,
     "%c: bool[6] = compare(%x, %y) {direction = \"lt\"}\n%r: bool[6] = not(%c)\nreturn r = %r", ""},
    {"not i < j", kArguments,
     "%c: bool[6] = compare(%i, %j) {direction = \"lt\"}\n%r: bool[6] = not(%c)\nreturn r = %r",
     "%r: bool[6] = compare(%i, %j) {direction = \"ge\"}\nreturn r = %r"},
    {"p xor p", kArguments, "%r: bool[6] = xor(%p, %p)\nreturn r = %r", NUMBER("c", "bool", "false") "return r = %c"},
    {"p and true", kArguments, NUMBER("c", "bool", "true") "%r: bool[6] = and(%p, %c)\nreturn r = %r", "return r = %p"},
    {"f32 -> f64 -> f32", kArguments,
     "%c: f64[6] = convert(%x) {to = f64}\n%r: f32[6] = convert(%c) {to = f32}\nreturn r = %r", "return r = %x"},
    {"i32 -> f32 -> i32 rounds", kArguments,
     "%c: f32[6] = convert(%i) {to = f32}\n%r: i32[6] = convert(%c) {to = i32}\nreturn r = %r", ""},
};

const PassCase kMovementCases[] = {
    {"transposes that cancel", "%x: f32[2,3]",
     "%t: f32[3,2] = transpose(%x) {permutation = [1,0]}\n%r: f32[2,3] = transpose(%t) {permutation = [1,0]}\n"
     "return r = %r",
     "return r = %x"},
    {"transposes that compose", "%x: f32[2,3,4]",
     "%t: f32[3,4,2] = transpose(%x) {permutation = [1,2,0]}\n"
     "%r: f32[4,2,3] = transpose(%t) {permutation = [1,2,0]}\nreturn r = %r",
     "%r: f32[4,2,3] = transpose(%x) {permutation = [2,0,1]}\nreturn r = %r"},
    {"reshapes", "%x: f32[2,3]",
     "%t: f32[6] = reshape(%x) {shape = shape[6]}\n%r: f32[3,2] = reshape(%t) {shape = shape[3,2]}\nreturn r = %r",
     "%r: f32[3,2] = reshape(%x) {shape = shape[3,2]}\nreturn r = %r"},
    {"broadcasts", "%x: f32[3]",
     "%t: f32[2,3] = broadcast(%x) {shape = shape[2,3], dimensions = [1]}\n"
     "%r: f32[2,4,3] = broadcast(%t) {shape = shape[2,4,3], dimensions = [0,2]}\nreturn r = %r",
     "%r: f32[2,4,3] = broadcast(%x) {shape = shape[2,4,3], dimensions = [2]}\nreturn r = %r"},
    {"transpose of a broadcast", "%x: f32[3]",
     "%t: f32[2,3] = broadcast(%x) {shape = shape[2,3], dimensions = [1]}\n"
     "%r: f32[3,2] = transpose(%t) {permutation = [1,0]}\nreturn r = %r",
     "%r: f32[3,2] = broadcast(%x) {shape = shape[3,2], dimensions = [0]}\nreturn r = %r"},
    {"slice of everything", "%x: f32[4]",
     "%r: f32[4] = slice(%x) {start = shape[0], limit = shape[4], step = [1]}\nreturn r = %r", "return r = %x"},
    {"slice of a slice", "%x: f32[9]",
     "%t: f32[6] = slice(%x) {start = shape[2], limit = shape[8], step = [1]}\n"
     "%r: f32[2] = slice(%t) {start = shape[1], limit = shape[5], step = [2]}\nreturn r = %r",
     "%r: f32[2] = slice(%x) {start = shape[3], limit = shape[7], step = [2]}\nreturn r = %r"},
    {"sum over no axes", "%x: f32[4]", "%r: f32[4] = reduce_sum(%x) {axes = []}\nreturn r = %r", "return r = %x"},
    {"maximum over an axis of one", "%x: f32[4,1]", "%r: f32[4] = reduce_max(%x) {axes = [1]}\nreturn r = %r",
     "%r: f32[4] = reshape(%x) {shape = shape[4]}\nreturn r = %r"},
    {"concatenations", "%x: f32[2], %y: f32[3]",
     "%t: f32[5] = concatenate(%x, %y) {axis = 0}\n%r: f32[7] = concatenate(%t, %x) {axis = 0}\nreturn r = %r",
     "%r: f32[7] = concatenate(%x, %y, %x) {axis = 0}\nreturn r = %r"},
    {"reversals", "%x: f32[4]",
     "%t: f32[4] = reverse(%x) {axes = [0]}\n%r: f32[4] = reverse(%t) {axes = [0]}\nreturn r = %r", "return r = %x"},
};

TEST_CASE("simplify rewrites what is identical", "[simplify]") {
  for (const PassCase& test : kSimplified) testing::check_pass(passes::simplify, test);
  for (const PassCase& test : kMovementCases) testing::check_pass(passes::simplify, test);
}

TEST_CASE("simplify keeps NaN, infinities and the signs of zeros", "[simplify]") {
  for (const PassCase& test : kSimplified) {
    const auto before = testing::parse_one(testing::function_text(test.arguments, test.before));
    const auto after = ir::clone(*before);
    passes::simplify(*after);
    testing::check_same_meaning(*before, *after);
  }
}

TEST_CASE("a known predicate chooses its branch", "[simplify]") {
  testing::check_pass(passes::simplify,
                      {"cond", "%x: f32[]",
                       "%p: bool[] = constant() {value = dense<bool[]: false>}\n"
                       "%r: f32[] = cond(%p, %x) region(%a: f32[]) {\n  return %a\n} region(%a: f32[]) {\n"
                       "  %n: f32[] = neg(%a)\n  return %n\n}\nreturn r = %r",
                       "%r: f32[] = neg(%x)\nreturn r = %r"});
}

}  // namespace
}  // namespace pullback
