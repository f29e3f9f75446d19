// One tiny wrong text for each error of the parser, with the line and column it must name.
#include <catch2/catch.hpp>

#include "compiler/ir/text.h"
#include "compiler/ops/registry.h"

using namespace pullback;

namespace {

struct WrongText {
  const char* text;
  const char* error;
};

// Functions whose body is one wrong line.
const WrongText wrong_lines[] = {
    {"%y: f32[2] = ngg(%x)", "t.ir:2:14: unknown op 'ngg'"},
    {"%y: f32[2] = neg(%z)", "t.ir:2:18: %z is not defined"},
    {"%y: f32[2] = neg(x)", "t.ir:2:18: expected '%' before a value's name"},
    {"%y: f32[2] = neg %x", "t.ir:2:18: expected '(' before the operands of an op"},
    {"%y: f32[2] = neg(%x", "t.ir:3:1: expected ')' after the operands of an op"},
    {"%y: f32[2] neg(%x)", "t.ir:2:12: expected '=' after the results of an op"},
    {"%y: f32[2] = ", "t.ir:3:1: unknown op 'return'"},
    {"%y f32[2] = neg(%x)", "t.ir:2:4: expected ':' after a value's name"},
    {"%y: f33[2] = neg(%x)", "t.ir:2:5: expected an element type such as f32, found 'f33'"},
    {"%y: f32 = neg(%x)", "t.ir:2:9: expected '[' before the sizes of a shape"},
    {"%y: f32[2 = neg(%x)", "dimension: '2 = neg(%x)' is not a polynomial in named symbols"},
    {"%y: f32[-2] = neg(%x)", "t.ir:2:9: a size is negative"},
    {"%y: f32[3] = neg(%x)", "t.ir:2:1: %y is declared f32[3], but neg gives f32[2]"},
    {"%x: f32[2] = neg(%x)", "t.ir:2:1: %x is defined twice"},
    {"%y: f32[2], %z: f32[2] = neg(%x)", "t.ir:2:26: neg has 1 results, not 2"},
    {"%y: f32[2] = add(%x)", "t.ir:2:14: add: "},
    {"%y: f32[2] = add(%x, %i)", "t.ir:2:14: add: "},
    {"%y: f32[2] = neg(%x) {a = }", "t.ir:2:27: '' is not an attribute"},
    {"%y: f32[2] = neg(%x) {a = 1, a = 2}", "t.ir:2:30: attribute 'a' is given twice"},
    {"%y: f32[2] = neg(%x) {a 1}", "t.ir:2:25: expected '=' after an attribute's name"},
    {"%y: f32[2] = neg(%x) {a = 1", "expected '}' after the attributes"},
    {"%y: f32[2] = neg(%x) {a = [1,b]}", "t.ir:2:30: expected an integer, found 'b'"},
    {"%y: f32[2] = neg(%x) {a = [1,2}", "expected ']' after a list of integers"},
    {"%y: f32[2] = neg(%x) {a = 99999999999999999999x}", "is not an attribute"},
    {"%y: f32[2] = neg(%x) {a = \"text}", "t.ir:2:27: the string does not end on its line"},
    {"%y: f32[2] = neg(%x) {a = \"\\q\"}", "t.ir:2:28: unknown escape in a string"},
    {"%y: f32[2] = neg(%x) {a = dense<f32[2]: 1.0>}", "the dense constant has 1 elements instead of 2"},
    {"%y: f32[2] = neg(%x) {a = dense<f32[1]: 1.0, 2.0>}",
     "t.ir:2:46: the dense constant has more elements than its 1"},
    {"%y: f32[2] = neg(%x) {a = dense<u8[1]: 300>}", "t.ir:2:40: '300' is not an element of type u8"},
    {"%y: f32[2] = neg(%x) {a = dense<f32[9999999999999]: splat 1.0>}", "negative or too large"},
    {"%y: f32[2] = neg(%x) {a = dense<f32[2]: @c>}", "t.ir:2:41: resource @c is not given"},
    {"%y: f32[2] = neg(%x) loc(9)", "t.ir:2:26: expected a scope, or a role such as grad"},
    {"%y: f32[2] = neg(%x) loc(\"a.cpp\":b)", "t.ir:2:34: expected a line number, found 'b'"},
    {"%y: f32[2] = neg(%x) loc(\"a.cpp\":1, grad relu)", "t.ir:2:42: expected ')' after a location"},
    {"%y: f32[2] = neg(%x) loc()", "t.ir:2:26: expected a scope, or a role such as grad"},
    {"%y: f32[2] = cond(%b, %x) region(%a: f32[2]) { return %x } region() {}", "t.ir:2:55: %x is not defined"},
    {"%y: f32[2] = cond(%b, %x) region(%a: f32[2]) { }", "t.ir:2:48: expected 'return'"},
};

// Whole texts.
const WrongText wrong_texts[] = {
    {"fnc @f() {}", "t.ir:1:1: expected 'func' or 'resource'"},
    {"func f() {}", "t.ir:1:6: expected '@' before a function's name"},
    {"func @f() {", "t.ir:1:12: expected 'return'"},
    {"func @f() { return", "t.ir:1:19: expected a result"},
    {"func @f(%x: f32[2], %x: f32[2]) { return }", "t.ir:1:21: %x is defined twice"},
    {"func @f(%x: f32[2]) { return a %x }", "t.ir:1:32: expected '=' after a result's name"},
    {"func @f(%x: f32[2]) { return state x = %x }", "t.ir:1:30: 'x' is not a state of @f"},
    {"func @f(state %x: f32[2], %y: f32[3]) { return state x = %y }",
     "t.ir:1:1: @f: state %x is f32[2], its update f32[3]"},
    {"func @f(state %x: f32[2]) { return state x = %x, state x = %x }", "@f: state %x is updated twice"},
    {"func @f() { return }\nfunc @f() { return }", "two functions are called @f"},
    {"resource @c: f32[1] = \"0000\"", "t.ir:1:10: resource @c has 2 bytes instead of 4"},
    {"resource @c: u8[1] = \"0000\"", "t.ir:1:22: resource @c has more than 1 bytes"},
    {"resource @c: u8[1] = \"0g\"", "t.ir:1:23: expected two hexadecimal digits a byte"},
    {"resource @c: u8[1] = \"00\" resource @c: u8[1] = \"00\"", "t.ir:1:36: resource @c is given twice"},
    {"resource @c: u8[1] = \"00\" resource @c: u8[2] = \"00\"", "resource @c has different types in different places"},
};

}  // namespace

TEST_CASE("errors in an op name its line and column") {
  for (const WrongText& wrong : wrong_lines) {
    const std::string text =
        std::string("func @f(%x: f32[2], %i: i32[2], %b: bool[]) {\n") + wrong.text + "\nreturn %x }\n";
    INFO(wrong.text);
    CHECK_THROWS_WITH(ir::parse(text, ops::registry(), "t.ir"), Catch::Matchers::Contains(wrong.error));
    CHECK_THROWS_AS(ir::parse(text, ops::registry(), "t.ir"), Error);
  }
}

TEST_CASE("errors in functions and resources name their line and column") {
  for (const WrongText& wrong : wrong_texts) {
    INFO(wrong.text);
    CHECK_THROWS_WITH(ir::parse(wrong.text, ops::registry(), "t.ir"), Catch::Matchers::Contains(wrong.error));
    CHECK_THROWS_AS(ir::parse(wrong.text, ops::registry(), "t.ir"), Error);
  }
}

TEST_CASE("nesting without end is refused") {
  std::string text = "func @f(%b: bool[]) { ";
  for (int i = 0; i < 100000; ++i) text += "cond(%b) region(%b: bool[]) { ";
  CHECK_THROWS_WITH(ir::parse(text, ops::registry()), Catch::Matchers::Contains("nested too deeply"));
}

TEST_CASE("no prefix of a valid text crashes the parser") {
  const std::string text = R"(func @f(%p: bool[], state %x: f32[n]) {
  %c: f32[2] = constant() {value = dense<f32[2]: @r>} loc("a.cpp":1, "s", grad "relu")
  %y: f32[n] = cond(%p, %x) region(%x: f32[n]) { return %x } region(%x: f32[n]) { return %x }
  return c = %c, state x = %y }
resource @r: f32[2] = "0000803f" "00000040"
)";
  CHECK(ir::parse(text, ops::registry()).size() == 1);
  for (std::size_t length = 1; length + 1 < text.size(); ++length)
    CHECK_THROWS_AS(ir::parse(text.substr(0, length), ops::registry()), Error);
}
