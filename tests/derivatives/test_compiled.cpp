// Every op's derivatives compiled, for several targets, against the reference evaluation of the same graph.
#include <catch2/catch.hpp>

#include "compiler/ops/registry.h"
#include "tests/oracle/compiled.h"
#include "tests/oracle/derivatives.h"

using namespace pullback;

namespace {

// Several ops make one module.
constexpr std::size_t kCasesOfModule = 60;

void check_all(DType floating) {
  std::vector<contract::Case> batch;
  for (const ops::OpDef* op : ops::registry().all()) {
    std::vector<contract::Case> cases = contract::derivatives_of(contract::cases_of(*op, floating));
    std::move(cases.begin(), cases.end(), std::back_inserter(batch));
    if (batch.size() < kCasesOfModule && op != ops::registry().all().back()) continue;
    CHECK(contract::differences(batch, contract::usual_targets()) == "");
    batch.clear();
  }
}

}  // namespace

TEST_CASE("Compiled derivatives agree with the reference, f32") {
  check_all(DType::f32);
}

TEST_CASE("Compiled derivatives agree with the reference, f64") {
  check_all(DType::f64);
}
