#include "tests/ulp/reference.h"

#include <mpfr.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace pullback::ulp {
namespace {

using Mpfr1 = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

int sigmoid(mpfr_ptr result, mpfr_srcptr x, mpfr_rnd_t rounding) {
  mpfr_neg(result, x, rounding);
  mpfr_exp(result, result, rounding);
  mpfr_add_ui(result, result, 1, rounding);
  return mpfr_ui_div(result, 1, result, rounding);
}

double quick_sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

struct Entry {
  std::string_view name;
  Mpfr1 exact;
  QuickReference quick;
};

#define PULLBACK_REFERENCE(name) {#name, mpfr_##name, [](double x) { return std::name(x); }}
const Entry kEntries[] = {
    PULLBACK_REFERENCE(exp),   PULLBACK_REFERENCE(exp2),  PULLBACK_REFERENCE(expm1),          PULLBACK_REFERENCE(log),
    PULLBACK_REFERENCE(log1p), PULLBACK_REFERENCE(log2),  PULLBACK_REFERENCE(log10),          PULLBACK_REFERENCE(sin),
    PULLBACK_REFERENCE(cos),   PULLBACK_REFERENCE(tan),   PULLBACK_REFERENCE(asin),           PULLBACK_REFERENCE(acos),
    PULLBACK_REFERENCE(atan),  PULLBACK_REFERENCE(sinh),  PULLBACK_REFERENCE(cosh),           PULLBACK_REFERENCE(tanh),
    PULLBACK_REFERENCE(asinh), PULLBACK_REFERENCE(acosh), PULLBACK_REFERENCE(atanh),          PULLBACK_REFERENCE(erf),
    PULLBACK_REFERENCE(erfc),  PULLBACK_REFERENCE(cbrt),  {"sigmoid", sigmoid, quick_sigmoid}};
#undef PULLBACK_REFERENCE

const Entry& find(std::string_view name) {
  for (const Entry& entry : kEntries)
    if (entry.name == name) return entry;
  throw std::logic_error("no reference for " + std::string(name));
}

/// MPFR numbers with room for the error of the reference to be far below a thousandth of an ulp.
struct Workspace {
  static constexpr mpfr_prec_t kPrecision = 160;
  mpfr_t x, y, exact, difference;
  Workspace() { mpfr_inits2(kPrecision, x, y, exact, difference, static_cast<mpfr_ptr>(nullptr)); }
  ~Workspace() { mpfr_clears(x, y, exact, difference, static_cast<mpfr_ptr>(nullptr)); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
};

struct Format {
  int precision, min_exponent, max_exponent;  // of normal numbers, as in 2^e
};
Format format_of(DType dtype) {
  return dtype == DType::f32 ? Format{24, -126, 127} : Format{53, -1022, 1023};
}

}  // namespace

double error_in_ulp(std::string_view name, DType dtype, std::uint64_t x, std::uint64_t y, std::uint64_t result_bits) {
  thread_local Workspace w;
  const Format format = format_of(dtype);
  const double result = from_bits(dtype, result_bits), wrong = std::numeric_limits<double>::infinity();
  mpfr_set_d(w.x, from_bits(dtype, x), MPFR_RNDN);
  mpfr_set_d(w.y, from_bits(dtype, y), MPFR_RNDN);
  if (name == "pow")
    mpfr_pow(w.exact, w.x, w.y, MPFR_RNDN);
  else if (name == "atan2")
    mpfr_atan2(w.exact, w.x, w.y, MPFR_RNDN);
  else
    find(name).exact(w.exact, w.x, MPFR_RNDN);
  if (mpfr_nan_p(w.exact)) return std::isnan(result) ? 0 : wrong;
  if (std::isnan(result)) return wrong;
  if (std::signbit(result) != (mpfr_signbit(w.exact) != 0)) return wrong;
  if (mpfr_inf_p(w.exact)) return std::isinf(result) ? 0 : wrong;
  if (mpfr_zero_p(w.exact)) return result == 0 ? 0 : wrong;
  const bool too_large = mpfr_get_exp(w.exact) - 1 > format.max_exponent;
  if (too_large && std::isinf(result)) return 0;
  if (std::isinf(result) || too_large)
    mpfr_set_si_2exp(w.difference, std::signbit(result) ? -1 : 1, format.max_exponent + 1, MPFR_RNDN);
  if (!std::isinf(result)) mpfr_set_d(w.difference, result, MPFR_RNDN);
  mpfr_sub(w.difference, w.difference, w.exact, MPFR_RNDN);
  const long exponent = std::clamp<long>(mpfr_get_exp(w.exact) - 1, format.min_exponent, format.max_exponent);
  mpfr_mul_2si(w.difference, w.difference, format.precision - 1 - exponent, MPFR_RNDN);
  return std::fabs(mpfr_get_d(w.difference, MPFR_RNDN));
}

QuickReference quick_reference(std::string_view name) {
  return find(name).quick;
}

std::vector<double> hard_inputs() {
  std::vector<double> anchors{0,
                              1,
                              0.5,
                              2,
                              0.25,
                              0.125,
                              0.75,
                              0.625,
                              0.9375,
                              3.95,
                              0x1p-27,
                              0x1p-28,
                              0x1p-54,
                              0x1p-25,
                              0x1p-12,
                              0x1p28,
                              0x1p30,
                              0x1p17,
                              0.45,
                              28,
                              26.55,
                              9,
                              5.9,
                              4,
                              88.7229,
                              103.973,
                              709.7827,
                              745.1332,
                              710.4758,
                              89.4160,
                              0x1p-149,
                              0x1p-126,
                              0x1p-1074,
                              0x1p-1022,
                              0x1.fffffep127,
                              0x1.fffffffffffffp1023,
                              0x1p65,
                              0x1p53,
                              0x1p52,
                              3,
                              10,
                              100,
                              1000,
                              1e10,
                              1e22,
                              1e-10,
                              1e-300,
                              1e300,
                              0.34657359027997264,
                              0.70710678118654752,
                              1.4142135623730951,
                              0.41421356237309503,
                              0.03125,
                              0x1.921fb54442d18p+0,
                              128,
                              129,
                              149,
                              150,
                              1024,
                              1075,
                              17.33,
                              19.06,
                              22,
                              37.5};
  for (int n = 1; n < 40; ++n) anchors.push_back(n * 0.78539816339744831);
  // Close to a multiple of pi/2: of all doubles the closest, and of all floats the closest large ones.
  anchors.insert(anchors.end(), {6381956970095103.0 * 0x1p797, 0x1.6ac5b262ca1ffp849, 0x1.81ae0cp+40,
                                 16367173.0 * 0x1p72, 0x1.99bc5cp+26, 0x1.3e0a7cp+96, 0x1.fe6d1ap+9, 0x1.921fb6p+22});
  std::vector<double> inputs{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()};
  for (const double anchor : anchors) {
    double below = anchor, above = anchor;
    float below_single = static_cast<float>(anchor), above_single = below_single;
    for (int step = 0; step < 4; ++step) {
      for (const double x : {below, above, double{below_single}, double{above_single}}) {
        inputs.push_back(x);
        inputs.push_back(-x);
      }
      below = std::nextafter(below, -1e308), above = std::nextafter(above, 1e308);
      below_single = std::nextafter(below_single, -1e38f), above_single = std::nextafter(above_single, 1e38f);
    }
  }
  return inputs;
}

std::uint64_t to_bits(DType dtype, double value) {
  return dtype == DType::f32 ? std::bit_cast<std::uint32_t>(static_cast<float>(value))
                             : std::bit_cast<std::uint64_t>(value);
}

double from_bits(DType dtype, std::uint64_t bits) {
  return dtype == DType::f32 ? std::bit_cast<float>(static_cast<std::uint32_t>(bits)) : std::bit_cast<double>(bits);
}

}  // namespace pullback::ulp
