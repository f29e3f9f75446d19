#include "tests/golden/compare.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/golden/safetensors.h"

namespace pullback::golden {
namespace {

constexpr double kMargin = 8;

void judge(Finding& finding, std::size_t at, double actual, double reference, double same, double tolerance) {
  const auto differ = [&](double wanted) {
    if (finding.problem.empty())
      finding.problem =
          fmt::format("element {} is {:.17g}, not {:.17g} (tolerance {:.2g})", at, actual, wanted, tolerance);
  };
  if (!std::isfinite(same) || !std::isfinite(actual)) {
    if (actual != same && !(std::isnan(actual) && std::isnan(same))) differ(same);
    return;
  }
  if (!std::isfinite(reference)) return;  // beyond the range of the wider type alone: impossible, so nothing to compare
  const double error = std::abs(actual - reference);
  if (error >= finding.error) finding.error = error;
  if (!(error <= tolerance)) differ(reference);
}

}  // namespace

double eps_of(DType dtype) {
  return dtype == f64 ? 0x1p-52 : 0x1p-23;
}

double Tolerance::at(DType dtype) const {
  const double condition = std::max(1.0, f32_error / eps_of(f32));
  return eps_of(dtype) * scale * (kMargin * condition + std::sqrt(static_cast<double>(n)));
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values)
    if (std::isfinite(value)) result = std::max(result, std::abs(value));
  return result;
}

Finding compare(const std::string& what, const Array& actual, const Array& reference, const Array& same,
                double tolerance) {
  Finding finding{what, 0, tolerance, ""};
  if (actual.dims() != reference.dims()) {
    finding.problem = fmt::format("is {}, not of shape [{}]", actual.type_string(), fmt::join(reference.dims(), ","));
    return finding;
  }
  if (is_float(actual.dtype()) != is_float(reference.dtype()) ||
      (actual.dtype() == boolean) != (reference.dtype() == boolean)) {
    finding.problem = fmt::format("is {}: {} is wanted", actual.type_string(), name_of(reference.dtype()));
    return finding;
  }
  if (!is_float(actual.dtype())) tolerance = 0;
  const std::vector<double> a = numbers(actual), r = numbers(reference), s = numbers(same);
  for (std::size_t i = 0; i < a.size(); ++i) judge(finding, i, a[i], r[i], s[i], tolerance);
  return finding;
}

Finding compare_numbers(const std::string& what, const std::vector<double>& actual,
                        const std::vector<double>& reference, const std::vector<double>& tolerances) {
  Finding finding{what, 0, largest(tolerances), ""};
  if (actual.size() != reference.size())
    finding.problem = fmt::format("has {} numbers, not {}", actual.size(), reference.size());
  for (std::size_t i = 0; finding.problem.empty() && i < actual.size(); ++i)
    judge(finding, i, actual[i], reference[i], reference[i], tolerances[i]);
  return finding;
}

}  // namespace pullback::golden
