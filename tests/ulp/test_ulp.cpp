// A sample of what ulp_sweep checks in full: every function on hard inputs, and on inputs spread over all bit patterns.
#include <catch2/catch.hpp>

#include <cmath>
#include <random>

#include "compiler/ir/kernel/interpret.h"
#include "compiler/ops/math/math.h"
#include "tests/ulp/reference.h"

using namespace pullback;

namespace {

struct Worst {
  double error = 0;
  std::uint64_t x = 0, y = 0, result = 0;
  int bad = 0;
};

class Sampler {
 public:
  Sampler(const ops::MathFunctionInfo& function, DType dtype)
      : info_(function), dtype_(dtype), function_(ops::math_functions().find(function.name, dtype)) {}

  void check(std::uint64_t x, std::uint64_t y) {
    const std::uint64_t arguments[] = {x, y};
    const auto result = kernel::evaluate(*function_, std::span(arguments, static_cast<std::size_t>(info_.arity)));
    const double error = ulp::error_in_ulp(info_.name, dtype_, x, y, result);
    if (error > 2 || error != error) ++worst_.bad;
    if (!(error <= worst_.error)) worst_ = {error, x, y, result, worst_.bad};
  }
  void check_values(double x, double y) { check(ulp::to_bits(dtype_, x), ulp::to_bits(dtype_, y)); }
  const Worst& worst() const { return worst_; }

 private:
  ops::MathFunctionInfo info_;
  DType dtype_;
  const kernel::Function* function_;
  Worst worst_;
};

}  // namespace

TEST_CASE("elementary functions are within 2 ulp") {
  const std::vector<double> hard = ulp::hard_inputs();
  for (const ops::MathFunctionInfo& function : ops::math_function_list()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      Sampler sampler(function, dtype);
      std::mt19937_64 random(1);
      std::uniform_real_distribution<double> moderate(-30, 30), unit(-1.5, 1.5);
      const int rounds = function.arity == 1 ? 6000 : 12000;
      for (int i = 0; i < rounds; ++i) {
        const auto pattern = [&] { return dtype == DType::f32 ? random() >> 32 : random(); };
        sampler.check(pattern(), pattern());
        sampler.check_values(moderate(random), moderate(random));
        sampler.check_values(unit(random), moderate(random) * 30);
        sampler.check_values(std::ldexp(unit(random), -static_cast<int>(random() % 16)), unit(random));
      }
      for (const double x : hard) {
        if (function.arity == 1) {
          sampler.check_values(x, 0);
        } else {
          for (const double y : {0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -3.0, 2.5, 1e300, -1e300, 1e-300, hard[0],
                                 hard[1], hard[2], 0x1p53, 0x1p52 + 1, hard[random() % hard.size()]}) {
            sampler.check_values(x, y);
            sampler.check_values(y, x);
          }
        }
      }
      const Worst& w = sampler.worst();
      INFO(function.name << "." << name_of(dtype) << ": " << w.error << " ulp at x = " << ulp::from_bits(dtype, w.x)
                         << ", y = " << ulp::from_bits(dtype, w.y) << ": " << ulp::from_bits(dtype, w.result) << ", "
                         << w.bad << " beyond 2 ulp");
      CHECK(w.error <= 2);
    }
  }
}
