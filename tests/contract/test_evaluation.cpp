// Every op compiled, for several targets, against the reference evaluator and the interpreter.
#include <catch2/catch.hpp>

#include "tests/oracle/compiled.h"

using namespace pullback;

namespace {

contract::MakeCases samples(DType floating) {
  return [=](const ops::OpDef& op) { return contract::cases_of(op, floating); };
}
contract::MakeCases few_samples(DType floating) {
  return [=](const ops::OpDef& op) { return contract::at_few_sizes(contract::cases_of(op, floating)); };
}

}  // namespace

TEST_CASE("Compiled ops agree with the reference, f32") {
  CHECK(contract::differences_of_ops(Target::host(), samples(DType::f32)) == "");
}

TEST_CASE("Compiled ops agree with the reference, f64") {
  CHECK(contract::differences_of_ops(Target::host(), samples(DType::f64)) == "");
}

TEST_CASE("Compiled ops agree with the reference without AVX-512") {
  for (const Target& target : contract::narrow_targets())
    for (const DType floating : {DType::f32, DType::f64})
      CHECK(contract::differences_of_ops(target, few_samples(floating)) == "");
}

// The levels that the tests above leave out.
TEST_CASE("Compiled ops agree with the reference on other levels, f32") {
  for (const char* name : {"x86-64-v2", "x86-64-v4"})
    if (const Target target = Target::parse(name); target.runs_here() && target.cpu != Target::host().cpu)
      CHECK(contract::differences_of_ops(target, [](const ops::OpDef& op) {
              std::vector<contract::Case> cases = contract::cases_of(op, DType::f32);
              std::erase_if(cases, [](const contract::Case& c) { return c.sizes != Bindings{{"a", 2}, {"b", 33}}; });
              return cases;
            }) == "");
}
