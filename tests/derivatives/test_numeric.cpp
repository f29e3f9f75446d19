// Every op's gradient rule against central differences of the reference evaluator, and the derived forward derivative
// against both.
#include <catch2/catch.hpp>
#include <cmath>

#include "compiler/ops/evaluate.h"
#include "compiler/ops/registry.h"
#include "tests/oracle/derivatives.h"

using namespace pullback;
using contract::Derivatives;
using contract::Directions;

namespace {

using Literals = std::vector<ir::Literal>;

double dot(const ir::Literal& x, const ir::Literal& y) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) sum += x.as_double(i) * y.as_double(i);
  return sum;
}

double magnitude(const ir::Literal& x) {
  double sum = 1;
  for (std::int64_t i = 0; i < x.size(); ++i) sum += std::fabs(x.as_double(i));
  return sum;
}

// Results of the case's function with its floating arguments moved by `step` along the tangents.
Literals moved(const contract::Case& c, const Derivatives& d, const Literals& tangents, double step) {
  Literals arguments = c.arguments;
  for (std::size_t i = 0; i < d.wrt.size(); ++i)
    for (std::int64_t e = 0; e < tangents[i].size(); ++e)
      arguments[d.wrt[i]].set(e, arguments[d.wrt[i]].as_double(e) + step * tangents[i].as_double(e));
  return ops::evaluate(*c.function, arguments);
}

Literals evaluated(const contract::Case& c, const Derivatives& d, const Directions& directions) {
  return ops::evaluate(*d.function, contract::arguments_of(c, directions));
}

// Each element of the JVP is the slope of the result's element along the tangents. The step balances the truncation,
// step^2 (third derivatives are of order one on the samples' domains), against the rounding, 2^-53 / step.
void check_slopes(const contract::Case& c, const Derivatives& d, const Directions& directions, const Literals& got) {
  constexpr double step = 6e-6;
  const Literals up = moved(c, d, directions.tangents, step), down = moved(c, d, directions.tangents, -step);
  for (std::size_t i = 0; i < d.outputs.size(); ++i)
    for (std::int64_t e = 0; e < got[i].size(); ++e) {
      const ir::Literal &y1 = up[d.outputs[i]], &y0 = down[d.outputs[i]];
      const bool flat = y1.as_double(e) == y0.as_double(e);  // also where it is infinite: a maximum of nothing
      const double slope = flat ? 0 : (y1.as_double(e) - y0.as_double(e)) / (2 * step);
      const double scale = 1 + std::fabs(slope) + (flat ? 0 : std::fabs(y1.as_double(e)));
      if (!(std::fabs(got[i].as_double(e) - slope) <= c.sample->grad_tolerance * scale)) {
        INFO("element " << e << " of result " << i << ": JVP " << got[i].as_double(e) << ", slope " << slope);
        CHECK(false);
        return;
      }
    }
}

// <cotangent, JVP> = <VJP, tangent>: both are the same sum in another order.
void check_transposed(const Directions& directions, const Literals& got, double epsilon) {
  double forward = 0, backward = 0, scale = 0;
  const std::size_t outputs = directions.cotangents.size();
  for (std::size_t i = 0; i < outputs; ++i) {
    forward += dot(directions.cotangents[i], got[i]);
    scale += magnitude(got[i]);
  }
  for (std::size_t i = 0; i < directions.tangents.size(); ++i) {
    backward += dot(got[outputs + i], directions.tangents[i]);
    scale += magnitude(got[outputs + i]);
  }
  CHECK(std::fabs(forward - backward) <= 64 * epsilon * scale);
}

}  // namespace

TEST_CASE("JVP against central differences, VJP against JVP, f64") {
  for (const ops::OpDef* op : ops::registry().all()) {
    if (!op->vjp) continue;
    unsigned seed = 1000;
    for (const contract::Case& c : contract::cases_of(*op, DType::f64)) {
      INFO(c.what);
      if (!c.sample->differentiable) continue;
      const Derivatives d(c);
      if (!d.usable()) continue;
      const Directions directions = contract::directions_of(c, d, seed += 16);
      const Literals got = evaluated(c, d, directions);
      check_slopes(c, d, directions, got);
      check_transposed(directions, got, 0x1p-53);
    }
  }
}

TEST_CASE("Derivatives in f32 are those in f64, rounded") {
  for (const ops::OpDef* op : ops::registry().all()) {
    if (!op->vjp) continue;
    const std::vector<contract::Case> narrow = contract::cases_of(*op, DType::f32);
    const std::vector<contract::Case> wide = contract::cases_of(*op, DType::f64);
    REQUIRE(narrow.size() == wide.size());
    for (std::size_t i = 0; i < narrow.size(); ++i) {
      INFO(narrow[i].what);
      if (!narrow[i].sample->differentiable) continue;
      const Derivatives d(narrow[i]), exact(wide[i]);
      if (!d.usable() || wide[i].what.find("f32") != std::string::npos) continue;
      const Directions directions = contract::directions_of(narrow[i], d, static_cast<unsigned>(i));
      const Literals got = evaluated(narrow[i], d, directions);
      check_transposed(directions, got, 0x1p-24);
      Literals arguments;
      for (const ir::Literal& x : narrow[i].arguments) arguments.push_back(contract::converted(x, DType::f64));
      for (const ir::Literal& x : directions.cotangents) arguments.push_back(contract::converted(x, DType::f64));
      for (const ir::Literal& x : directions.tangents) arguments.push_back(contract::converted(x, DType::f64));
      const Literals expected = ops::evaluate(*exact.function, arguments);
      for (std::size_t r = 0; r < got.size(); ++r) {
        double worst = 0, scale = 1;
        for (std::int64_t e = 0; e < got[r].size(); ++e) {
          worst = std::fmax(worst, std::fabs(got[r].as_double(e) - expected[r].as_double(e)));
          scale = std::fmax(scale, std::fabs(expected[r].as_double(e)));
        }
        CHECK(worst <= 256 * 0x1p-24 * scale);  // a rule is a dozen ops, each wrong by half an ulp of what it adds up
      }
    }
  }
}
