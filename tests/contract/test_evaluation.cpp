// Every op, and its derivatives, compiled for several targets against the reference evaluator, and compiled bits
// against interpreted bits.
#include <catch2/catch.hpp>
#include <cmath>

#include "compiler/ops/registry.h"
#include "tests/contract/compiled.h"
#include "tests/contract/derivatives.h"
#include "tests/oracle/bounded.h"

using namespace pullback;

namespace {

// Ops are compiled together, this many cases in a module.
constexpr std::size_t kCasesOfModule = 120;

void check_results(const std::vector<contract::Case>& cases, const std::vector<ir::Literal>& got) {
  std::size_t next = 0;
  for (const contract::Case& c : cases) {
    INFO(c.what);
    for (const testing::Bounded& expected : testing::evaluate_bounded(*c.function, c.arguments)) {
      CHECK(testing::difference(got.at(next++), expected) == "");
      // Bounds that bound nothing would hide faults.
      CHECK(std::none_of(expected.error.begin(), expected.error.end(), [](double e) { return std::isinf(e); }));
    }
  }
  CHECK(next == got.size());
}

void check(const std::vector<contract::Case>& cases, const std::vector<Target>& targets) {
  const std::unique_ptr<ir::Function> function = contract::joined(cases);
  for (const Target& target : targets) {
    INFO("on " << target.name);
    const contract::Results results = contract::run(*function, cases, target);
    REQUIRE(results.compiled.size() == results.interpreted.size());
    for (std::size_t i = 0; i < results.compiled.size(); ++i)
      CHECK(results.compiled[i].bytes == results.interpreted[i].bytes);
    check_results(cases, results.compiled);
  }
}

void check_all(DType floating, bool derivatives, const std::vector<Target>& targets) {
  std::vector<contract::Case> batch;
  for (const ops::OpDef* op : ops::registry().all()) {
    std::vector<contract::Case> cases = contract::cases_of(*op, floating);
    if (derivatives) cases = contract::derivatives_of(cases);
    std::move(cases.begin(), cases.end(), std::back_inserter(batch));
    if (batch.size() < kCasesOfModule) continue;
    check(batch, targets);
    batch.clear();
  }
  if (!batch.empty()) check(batch, targets);
}

// Code for the host, and for a CPU without AVX-512, so that not only the host's vectors are known to work.
std::vector<Target> targets() {
  std::vector<Target> result{Target::host()};
  const Target narrow = Target::parse("x86-64-v3");
  if (narrow.runs_here() && result.front().cpu != narrow.cpu) result.push_back(narrow);
  return result;
}

}  // namespace

TEST_CASE("Compiled ops agree with the reference, f32") {
  check_all(DType::f32, false, targets());
}

TEST_CASE("Compiled ops agree with the reference, f64") {
  check_all(DType::f64, false, targets());
}

TEST_CASE("Compiled derivatives agree with the reference, f32") {
  check_all(DType::f32, true, targets());
}

TEST_CASE("Compiled derivatives agree with the reference, f64") {
  check_all(DType::f64, true, targets());
}
