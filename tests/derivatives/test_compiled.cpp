// Every op's derivatives compiled, for several targets, against the reference evaluation of the same graph.
#include <algorithm>
#include <catch2/catch.hpp>

#include "compiler/ops/registry.h"
#include "tests/oracle/compiled.h"
#include "tests/oracle/derivatives.h"

using namespace pullback;

namespace {

// Several ops make one module.
constexpr std::size_t kCasesOfModule = 60;

void check_all(DType floating, const Target& target, const std::function<bool(const contract::Case&)>& wanted = {}) {
  std::vector<contract::Case> batch;
  for (const ops::OpDef* op : ops::registry().all()) {
    std::vector<contract::Case> cases = contract::derivatives_of(contract::cases_of(*op, floating));
    for (contract::Case& c : cases)
      if (!wanted || wanted(c)) batch.push_back(std::move(c));
    if (batch.size() < kCasesOfModule && op != ops::registry().all().back()) continue;
    CHECK(contract::differences(batch, {target}) == "");
    batch.clear();
  }
}

// All samples, at sizes of several vectors and a tail, of one element a row, and of none.
void check_narrow(DType floating) {
  for (const Target& target : contract::usual_targets())
    if (target.name != "host")
      check_all(floating, target, [](const contract::Case& c) {
        const std::vector<Bindings> sizes{{}, {{"a", 2}, {"b", 33}}, {{"a", 37}, {"b", 1}}, {{"a", 0}, {"b", 4}}};
        return std::find(sizes.begin(), sizes.end(), c.sizes) != sizes.end();
      });
}

}  // namespace

TEST_CASE("Compiled derivatives agree with the reference, f32") {
  check_all(DType::f32, Target::host());
}

TEST_CASE("Compiled derivatives agree with the reference, f64") {
  check_all(DType::f64, Target::host());
}

TEST_CASE("Compiled derivatives agree with the reference without AVX-512, f32") {
  check_narrow(DType::f32);
}

TEST_CASE("Compiled derivatives agree with the reference without AVX-512, f64") {
  check_narrow(DType::f64);
}
