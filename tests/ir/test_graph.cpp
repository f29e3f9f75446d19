// Building, copying, rewriting and verifying graphs.
#include <catch2/catch.hpp>

#include "compiler/ir/rewriter.h"
#include "compiler/ir/text.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/registry.h"
#include "tests/ir/one_function.h"

using namespace pullback;
using namespace pullback::ir;
using Catch::Matchers::Contains;
using pullback::test::parse_one;

TEST_CASE("a clone is equal and independent") {
  const auto function = parse_one(
      "func @f(%p: bool[], state %x: f32[2]) {\n"
      "%y: f32[2] = cond(%p, %x) region(%a: f32[2]) { %b: f32[2] = neg(%a) return %b } region(%a: f32[2]) { return %a }"
      " loc(\"m.cpp\":1)\n return y = %y, state x = %y }");
  const auto copy = clone(*function);
  CHECK(equal(*function, *copy, true));
  CHECK(print(*function) == print(*copy));
  copy->body.ops.clear();
  CHECK(function->body.ops.size() == 1);
}

TEST_CASE("copying substitutes symbols, in nested regions too") {
  const auto function = parse_one(
      "func @f(%s: f32[], %p: bool[]) {\n"
      "%x: f32[n,3] = broadcast(%s) {shape = shape[n,3], dimensions = []}\n"
      "%y: f32[n,3] = cond(%p, %x) region(%a: f32[n,3]) { %b: f32[n,3] = neg(%a) return %b }"
      " region(%a: f32[n,3]) { return %a }\n return y = %y }");
  Function specialized;
  specialized.name = "f";
  specialized.roles = function->roles;
  specialized.results = function->results;
  Builder builder(specialized.body);
  builder.bindings = {{"n", 4}};
  builder.copy_region(function->body);
  verify(specialized, "test");
  CHECK(to_string(specialized.body.results[0]->type) == "f32[4,3]");
  CHECK(to_string(specialized.body.ops[1]->regions[0]->arguments[0]->type) == "f32[4,3]");
}

TEST_CASE("a rewrite replaces values, keeps names, and inserts before") {
  const auto function =
      parse_one("func @f(%x: f32[2]) { %a: f32[2] = neg(%x) loc(\"m.cpp\":1) %b: f32[2] = exp(%a) return b = %b }");
  const Rule rule = [](Op& op, Builder& builder) -> std::vector<Value*> {
    if (op.def != &ops::op_neg) return {};
    return {builder.value(ops::op_abs, {op.operand(0)})};
  };
  CHECK(rewrite(function->body, rule));
  verify(*function, "test");
  CHECK(print(*function) == R"(func @f(%x: f32[2]) {
  %a: f32[2] = abs(%x)                                                  loc("m.cpp":1)
  %a.1: f32[2] = neg(%x)                                                loc("m.cpp":1)
  %b: f32[2] = exp(%a)
  return b = %b
}
)");
  CHECK(use_counts(function->body).count(function->body.ops[1]->result()) == 0);
}

TEST_CASE("a rewrite must keep types") {
  const auto function = parse_one("func @f(%x: f32[2], %y: f32[3]) { %a: f32[2] = neg(%x) return %a }");
  Value* y = function->body.arguments[1].get();
  CHECK_THROWS_WITH(rewrite(function->body, [&](Op&, Builder&) { return std::vector<Value*>{y}; }),
                    Contains("f32[2] was replaced by f32[3]"));
}

TEST_CASE("shape errors name the user's line") {
  Function function;
  Value* x = function.add_argument({f32, {2}}, "x");
  Value* y = function.add_argument({f32, {3}}, "y");
  Builder builder(function.body);
  builder.location.edit().line = {"model.cpp", 12};
  CHECK_THROWS_WITH(builder.value(ops::op_add, {x, y}),
                    Contains("add: ") && Contains("f32[2]") && Contains("f32[3]") && Contains("(model.cpp:12)"));
  CHECK(function.body.ops.empty());
}

TEST_CASE("the verifier finds each broken rule") {
  const auto function = parse_one(
      "func @f(%x: f32[2], state %w: f32[2]) { %a: f32[2] = neg(%x) %b: f32[2] = exp(%a) return r = %b, state w = %a "
      "}");
  REQUIRE(find_violation(*function).empty());
  Region& body = function->body;
  SECTION("order") {
    std::swap(body.ops[0], body.ops[1]);
    CHECK_THROWS_WITH(verify(*function, "cse"),
                      Contains("cse: @f: an operand is not defined before it is read") && Contains("func @f("));
  }
  SECTION("types") {
    body.ops[0]->result()->type.shape = {3};
    CHECK_THAT(find_violation(*function), Contains("result 0 should be f32[2]: in %a: f32[3] = neg(%x)"));
  }
  SECTION("shape rule") {
    body.ops[0]->operands.push_back(body.arguments[0].get());
    CHECK_THAT(find_violation(*function), Contains("neg"));
  }
  SECTION("back pointers") {
    body.ops[0]->result()->definer = nullptr;
    CHECK_THAT(find_violation(*function), Contains("neg: result 0 does not know its place"));
  }
  SECTION("foreign result") {
    Value foreign;
    body.results[0] = &foreign;
    CHECK_THAT(find_violation(*function), Contains("a region's result is not defined in it"));
  }
  SECTION("roles") {
    function->roles.pop_back();
    CHECK_THAT(find_violation(*function), Contains("2 arguments, but 1 roles"));
  }
  SECTION("update of an input") {
    function->results[1].updates = 0;
    CHECK_THAT(find_violation(*function), Contains("result 1 updates an argument that is no state"));
  }
  SECTION("equal argument names") {
    body.arguments[1]->name = "x";
    CHECK_THAT(find_violation(*function), Contains("two arguments are called %x"));
  }
  CHECK_THROWS_AS(verify(*function, "test"), InternalError);
}

TEST_CASE("symbols of a function come from its arguments") {
  const auto function = parse_one("func @f(%x: f32[n*m,3], %y: f32[k]) { return %x }");
  CHECK(symbols_of(*function) == std::set<std::string>{"k", "m", "n"});
  CHECK(element_count(function->body.arguments[0]->type.shape) == 3 * dim("n") * dim("m"));
  CHECK_THROWS_AS(static_dims(function->body.arguments[0]->type.shape), InternalError);
}
