// Every op compiled, for several targets, against the reference evaluator and the interpreter.
#include <catch2/catch.hpp>

#include "compiler/ops/registry.h"
#include "tests/oracle/compiled.h"

using namespace pullback;

namespace {

// Several ops make one module.
constexpr std::size_t kCasesOfModule = 120;

void check_all(DType floating, const std::vector<Target>& targets,
               const std::function<bool(const contract::Case&)>& wanted = {}) {
  std::vector<contract::Case> batch;
  for (const ops::OpDef* op : ops::registry().all()) {
    for (contract::Case& c : contract::cases_of(*op, floating))
      if (!wanted || wanted(c)) batch.push_back(std::move(c));
    if (batch.size() < kCasesOfModule && op != ops::registry().all().back()) continue;
    CHECK(contract::differences(batch, targets) == "");
    batch.clear();
  }
}

}  // namespace

TEST_CASE("Compiled ops agree with the reference, f32") {
  check_all(DType::f32, contract::usual_targets());
}

TEST_CASE("Compiled ops agree with the reference, f64") {
  check_all(DType::f64, contract::usual_targets());
}

// The levels that the tests above leave out, on sizes of several vectors and a tail.
TEST_CASE("Compiled ops agree with the reference on other levels") {
  for (const char* name : {"x86-64-v2", "x86-64-v4"})
    if (const Target target = Target::parse(name); target.runs_here() && target.cpu != Target::host().cpu)
      check_all(DType::f32, {target},
                [](const contract::Case& c) { return c.sizes == Bindings{{"a", 2}, {"b", 33}} || c.sizes.empty(); });
}
