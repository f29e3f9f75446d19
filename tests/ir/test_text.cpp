// What the text form looks like, and that it reads back.
#include <catch2/catch.hpp>

#include "compiler/ir/builder.h"
#include "compiler/ir/text.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/registry.h"
#include "tests/ir/one_function.h"

using namespace pullback;
using namespace pullback::ir;
using pullback::test::parse_one;

namespace {

void check_unchanged(const std::string& text) {
  const auto function = parse_one(text);
  CHECK(print(*function) == text);
  verify(*function, "test");
}

}  // namespace

TEST_CASE("a printed function reads back to the same text") {
  check_unchanged(R"(func @mlp.step(%x: f32[batch,784], state %fc1.w: f32[784,10]) {
  %h0: f32[batch,10] = dot_general(%x, %fc1.w) {contract = [1]x[0], batch = []x[]} loc("model.cpp":9, "fc1")
  %h1: f32[batch,10] = tanh(%h0)                                        loc("model.cpp":10)
  %loss: f32[] = reduce_sum(%h1) {axes = [0,1]}                         loc("model.cpp":11, grad "mean")
  %w: f32[784,10] = neg(%fc1.w)                                         loc("fc1", update)
  return loss = %loss, state fc1.w = %w
}
)");
}

TEST_CASE("values without a name are numbered") {
  check_unchanged(R"(func @f(%x: f32[2]) {
  %0: f32[2] = neg(%x)
  %1: f32[2] = add(%0, %x)
  return %1
}
)");
}

TEST_CASE("constants keep their bits") {
  check_unchanged(R"(func @constants() {
  %0: f32[4] = constant() {value = dense<f32[4]: 0.1, -inf, nan, nan(0xffc00001)>}
  %1: i32[2,2] = constant() {value = dense<i32[2,2]: splat 7>}
  %2: bool[2] = constant() {value = dense<bool[2]: true, false>}
  %3: bf16[] = constant() {value = dense<bf16[]: 1.5>}
  %4: f64[0] = constant() {value = dense<f64[0]:>}
  return a = %0, b = %1, c = %2, d = %3, e = %4
}
)");
}

TEST_CASE("regions are nested, isolated, and have names of their own") {
  check_unchanged(R"(func @f(%p: bool[], %x: f32[2]) {
  %y: f32[2] = cond(%p, %x) region(%x: f32[2]) {
    %y: f32[2] = neg(%x)                                                loc("m.cpp":3)
    return %y
  } region(%x: f32[2]) {
    return %x
  } loc("m.cpp":2)
  return y = %y
}
)");
}

TEST_CASE("names that are not plain words are quoted") {
  check_unchanged(R"(func @"my net"(state %"w 1": f32[2], state %v: f32[2]) {
  %"a\"b": f32[2] = add(%"w 1", %v)
  return "top 1" = %v, state "w 1" = %"a\"b", state v as other = %v
}
)");
}

TEST_CASE("long lists are broken into lines") {
  std::string text = "func @f(\n      %an_argument_with_a_long_name_0: f32[2]";
  for (int i = 1; i < 6; ++i) text += ",\n      %an_argument_with_a_long_name_" + std::to_string(i) + ": f32[2]";
  check_unchanged(text + ") {\n  return %an_argument_with_a_long_name_3\n}\n");
}

TEST_CASE("equal names are told apart") {
  Function function;
  Value* x = function.add_argument({f32, {2}}, "x");
  Builder builder(function.body);
  Value* y = builder.value(ops::op_neg, {x});
  y->name = "x";
  Value* z = builder.value(ops::op_neg, {y});
  z->name = "x.1";
  function.add_result(z, "z");
  CHECK(print(function) == R"(func @""(%x: f32[2]) {
  %x.1: f32[2] = neg(%x)
  %x.1.1: f32[2] = neg(%x.1)
  return z = %x.1.1
}
)");
}

TEST_CASE("large constants are printed by reference, once, and read back") {
  auto literal = std::make_shared<Literal>(f32, std::vector<std::int64_t>{100});
  for (int i = 0; i < 100; ++i) literal->set(i, i * 0.1);
  Function function;
  function.name = "f";
  Builder builder(function.body);
  Value* a = builder.value(ops::op_constant, {}, {{"value", std::shared_ptr<const Literal>(literal)}});
  Value* b = builder.value(ops::op_constant, {}, {{"value", std::shared_ptr<const Literal>(literal)}});
  function.add_result(a, "a");
  function.add_result(b, "b");
  const std::string text = print(function);
  CHECK(text.find("{value = dense<f32[100]: @f.constant.0>}") != std::string::npos);
  CHECK(text.find("f.constant.1") == std::string::npos);
  const auto again = parse_one(text);
  CHECK(equal(function, *again));
  CHECK(print(*again) == text);
  CHECK(print(function, {.resources = false}).find("resource") == std::string::npos);
}

TEST_CASE("comments and free layout are read") {
  const auto function = parse_one(R"(
    // a comment
    func @f(%x: f32[ n * 2 , 3 ]) { // another
      %y : f32[2*n,3]
        = neg ( %x )
      return y=%y })");
  CHECK(to_string(function->body.arguments[0]->type) == "f32[2*n,3]");
}

TEST_CASE("one op prints on one line, for messages") {
  const auto function = parse_one(R"(func @f(%p: bool[], %x: f32[2]) {
    %y: f32[2] = cond(%p, %x) region(%x: f32[2]) { return %x } region(%x: f32[2]) { return %x }
    %z: f32[2] = neg(%y) loc("m.cpp":1)
    return %z })");
  CHECK(print(*function->body.ops[0]) == "%y: f32[2] = cond(%p, %x) region(%x: f32[2]) { ... }");
  CHECK(print(*function->body.ops[1]) == "%z: f32[2] = neg(%y)");
}

TEST_CASE("equality ignores names and, unless asked for, locations") {
  const auto a = parse_one("func @f(%x: f32[2]) { %y: f32[2] = neg(%x) loc(\"a.cpp\":1) return r = %y }");
  const auto b = parse_one("func @g(%u: f32[2]) { %v: f32[2] = neg(%u) loc(\"b.cpp\":1) return r = %v }");
  const auto c = parse_one("func @f(%x: f32[2]) { %y: f32[2] = exp(%x) return r = %y }");
  const auto d = parse_one("func @f(%x: f32[2]) { %y: f32[2] = neg(%x) return r = %x }");
  CHECK(equal(*a, *b));
  CHECK_FALSE(equal(*a, *b, true));
  CHECK_FALSE(equal(*a, *c));
  CHECK_FALSE(equal(*a, *d));
}
