// Every op's derivatives compiled, for several targets, against the reference evaluation of the same graph.
#include <catch2/catch.hpp>

#include "tests/oracle/compiled.h"
#include "tests/oracle/derivatives.h"

using namespace pullback;

namespace {

contract::MakeCases derivatives(DType floating) {
  return [=](const ops::OpDef& op) { return contract::derivatives_of(contract::cases_of(op, floating)); };
}
contract::MakeCases few_derivatives(DType floating) {
  return [=](const ops::OpDef& op) {
    return contract::derivatives_of(contract::at_few_sizes(contract::cases_of(op, floating)));
  };
}

}  // namespace

TEST_CASE("Compiled derivatives agree with the reference, f32") {
  CHECK(contract::differences_of_ops(Target::host(), derivatives(DType::f32)) == "");
}

TEST_CASE("Compiled derivatives agree with the reference, f64") {
  CHECK(contract::differences_of_ops(Target::host(), few_derivatives(DType::f64)) == "");
}

// In f32 alone: values of both types are compared in tests/contract/, and derivatives are made of the same ops.
TEST_CASE("Compiled derivatives agree with the reference without AVX-512, f32") {
  for (const Target& target : contract::narrow_targets())
    CHECK(contract::differences_of_ops(target, few_derivatives(DType::f32)) == "");
}
