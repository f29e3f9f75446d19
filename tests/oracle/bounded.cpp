#include "tests/oracle/bounded.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "compiler/ir/prune.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"

namespace pullback::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Literals = std::vector<ir::Literal>;
using Operands = std::vector<const Bounded*>;

/// The distance of 1 from the next number, and of 0 from the next.
struct Spacing {
  double relative, absolute;
};
Spacing spacing(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {0x1p-52, 0x1p-1074};
    case DType::f32:
      return {0x1p-23, 0x1p-149};
    case DType::f16:
      return {0x1p-10, 0x1p-24};
    default:
      return {0x1p-7, 0x1p-133};  // bf16
  }
}

double distance(double x, double y) {
  if (x == y || (std::isnan(x) && std::isnan(y))) return 0;
  const double d = std::fabs(x - y);
  return std::isnan(d) ? kInfinity : d;
}

bool is_exact(const Bounded& x) {
  return std::all_of(x.error.begin(), x.error.end(), [](double e) { return e == 0; });
}

/// The operand moved to one end of its bounds; an uncertain truth value is turned around at the upper one.
ir::Literal moved(const Bounded& x, double side, bool magnitude) {
  ir::Literal result = x.value;
  const bool truth = result.dtype == DType::boolean;
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const double value = result.as_double(i), error = x.error[static_cast<std::size_t>(i)];
    if (magnitude && is_float(result.dtype))
      result.set(i, std::fabs(value) + side * error);
    else if (error != 0)
      result.set(i, !truth ? value + side * error : side > 0 ? 1 - value : value);
  }
  return result;
}

Literals evaluate_at(const ir::Op& op, const Literals& operands) {
  std::vector<const ir::Literal*> pointers;
  for (const ir::Literal& operand : operands) pointers.push_back(&operand);
  return ops::evaluate(op, pointers);
}

/// Raises the errors to the distance between two evaluations.
void include(std::vector<Bounded>& results, const Literals& here, const Literals& there) {
  for (std::size_t r = 0; r < results.size(); ++r)
    for (std::int64_t i = 0; i < here[r].size(); ++i) {
      double& error = results[r].error[static_cast<std::size_t>(i)];
      error = std::fmax(error, distance(here[r].as_double(i), there[r].as_double(i)));
    }
}

Literals values_of(const std::vector<Bounded>& results) {
  Literals values;
  for (const Bounded& result : results) values.push_back(result.value);
  return values;
}

/// Is each element an operand's element, or its negative, or what an empty fold gives?
bool chooses(const ir::Literal& result, const Operands& operands) {
  std::unordered_set<double> known{0, kInfinity};
  for (const Bounded* operand : operands)
    if (operand->value.dtype == result.dtype)
      for (std::int64_t i = 0; i < operand->value.size(); ++i) known.insert(std::fabs(operand->value.as_double(i)));
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const double value = result.as_double(i);
    if (!std::isnan(value) && !known.count(std::fabs(value))) return false;
  }
  return true;
}

/// The op, and those that it runs.
double ops_within(const ir::Op& op) {
  std::size_t count = 1;
  for (const auto& region : op.regions) count += ir::count_ops(*region);
  return static_cast<double>(count);
}

using Counts = std::vector<std::vector<double>>;  // for each element of each result

/// How many ulps a result element may have lost. A sum of products at all ones is the number of its terms; where that
/// tells nothing (a product of many), each operand element may have been a factor.
Counts ulps(const ir::Op& op, const Operands& operands, const std::vector<Bounded>& results) {
  Literals ones;
  std::int64_t largest = 1;
  for (const Bounded* operand : operands) {
    const bool real = is_float(operand->value.dtype);
    ones.push_back(real ? ir::Literal::filled(operand->value.dtype, operand->value.dims, 1) : operand->value);
    if (real) largest = std::max(largest, operand->value.size());
  }
  const Literals terms = evaluate_at(op, ones);
  Counts counts;
  for (std::size_t r = 0; r < results.size(); ++r) {
    const std::int64_t folded = largest / std::max<std::int64_t>(1, results[r].value.size());
    counts.emplace_back(results[r].error.size());
    for (std::size_t i = 0; i < counts[r].size(); ++i) {
      const double count = terms[r].as_double(static_cast<std::int64_t>(i));
      const double factors = static_cast<double>(op.def->traits.reduction ? folded : largest);
      counts[r][i] = 1 + (count > 1 && std::isfinite(count) ? count : factors) * ops_within(op);
    }
  }
  return counts;
}

/// Adds so many ulps of the larger of the result and `magnitude`.
void add_ulps(std::vector<Bounded>& results, const Literals& magnitude,
              const std::function<double(std::size_t r, std::size_t i)>& count) {
  for (std::size_t r = 0; r < results.size(); ++r) {
    Bounded& result = results[r];
    if (!is_float(result.value.dtype)) continue;
    const Spacing ulp = spacing(result.value.dtype);
    for (std::size_t i = 0; i < result.error.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const double size = std::fmax(std::fabs(result.value.as_double(at)), std::fabs(magnitude[r].as_double(at)));
      if (std::isfinite(size)) result.error[i] += count(r, i) * (ulp.relative * size + ulp.absolute);
    }
  }
}

bool is_exact(const Operands& operands) {
  return std::all_of(operands.begin(), operands.end(), [](const Bounded* x) { return is_exact(*x); });
}

bool rounds(const Operands& operands, const std::vector<Bounded>& results) {
  return std::any_of(results.begin(), results.end(), [&](const Bounded& result) {
    return is_float(result.value.dtype) && !chooses(result.value, operands);
  });
}

void bound_elementwise(const ir::Op& op, const Operands& operands, std::vector<Bounded>& results) {
  std::vector<std::size_t> uncertain;
  Literals at;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    at.push_back(operands[i]->value);
    if (!is_exact(*operands[i])) uncertain.push_back(i);
  }
  const Literals here = values_of(results);
  for (std::size_t corner = 0; corner < (std::size_t{1} << uncertain.size()) && !uncertain.empty(); ++corner) {
    for (std::size_t i = 0; i < uncertain.size(); ++i)
      at[uncertain[i]] = moved(*operands[uncertain[i]], (corner >> i) & 1 ? 1 : -1, false);
    include(results, here, evaluate_at(op, at));
  }
  if (rounds(operands, results)) add_ulps(results, here, [](std::size_t, std::size_t) { return 4; });
}

/// A sum of products needs the bound of those alone, moved data the one of monotone ops; others get both.
void bound(const ir::Op& op, const Operands& operands, std::vector<Bounded>& results) {
  if (operands.empty()) return;  // constants are what they are
  const bool exact = is_exact(operands), rounded = rounds(operands, results);
  const bool real =
      std::all_of(results.begin(), results.end(), [](const Bounded& r) { return is_float(r.value.dtype); });
  const Literals here = values_of(results);
  for (const double side : {-1.0, 1.0}) {
    if (exact || (rounded && real && op.regions.empty())) break;
    Literals at;
    for (const Bounded* operand : operands) at.push_back(moved(*operand, side, false));
    include(results, here, evaluate_at(op, at));
  }
  if (op.def->traits.moves_data || (exact && !rounded)) return;
  Literals magnitudes, beyond;
  for (const Bounded* operand : operands) {
    magnitudes.push_back(moved(*operand, 0, true));
    beyond.push_back(moved(*operand, 1, true));
  }
  const Literals largest = evaluate_at(op, magnitudes);
  if (!exact) include(results, largest, evaluate_at(op, beyond));
  if (!rounded) return;
  const Counts counts = ulps(op, operands, results);
  add_ulps(results, largest, [&](std::size_t r, std::size_t i) { return counts[r][i]; });
}

std::vector<Bounded> evaluate_region(const ir::Region& region, const Operands& arguments);

std::vector<Bounded> evaluate_op(const ir::Op& op, const Operands& operands) {
  if (op.def == &ops::op_composite) return evaluate_region(*op.regions[0], operands);
  if (op.def->meaning) return evaluate_region(*op.def->meaning(op), operands);
  if (op.def == &ops::op_cond && is_exact(*operands[0]))
    return evaluate_region(*op.regions[operands[0]->value.as_integer(0) != 0 ? 0 : 1],
                           {operands.begin() + 1, operands.end()});
  Literals values;
  for (const Bounded* operand : operands) values.push_back(operand->value);
  std::vector<Bounded> results;
  for (ir::Literal& value : evaluate_at(op, values)) {
    std::vector<double> none(static_cast<std::size_t>(value.size()), 0);
    results.push_back({std::move(value), std::move(none)});
  }
  if (op.def->traits.elementwise)
    bound_elementwise(op, operands, results);
  else
    bound(op, operands, results);
  return results;
}

std::vector<Bounded> evaluate_region(const ir::Region& region, const Operands& arguments) {
  std::unordered_map<const ir::Value*, Bounded> values;
  for (std::size_t i = 0; i < arguments.size(); ++i) values[region.arguments[i].get()] = *arguments[i];
  for (const auto& op : region.ops) {
    Operands operands;
    for (const ir::Value* operand : op->operands) operands.push_back(&values.at(operand));
    std::vector<Bounded> results = evaluate_op(*op, operands);
    for (std::size_t i = 0; i < results.size(); ++i) values[op->result(i)] = std::move(results[i]);
  }
  std::vector<Bounded> results;
  for (const ir::Value* result : region.results) results.push_back(values.at(result));
  return results;
}

}  // namespace

std::vector<Bounded> evaluate_bounded(const ir::Function& function, const std::vector<ir::Literal>& arguments) {
  std::vector<Bounded> exact;
  for (const ir::Literal& argument : arguments)
    exact.push_back({argument, std::vector<double>(static_cast<std::size_t>(argument.size()), 0)});
  Operands operands;
  for (const Bounded& argument : exact) operands.push_back(&argument);
  return evaluate_region(function.body, operands);
}

std::string difference(const ir::Literal& got, const Bounded& expected) {
  const ir::Literal& value = expected.value;
  if (got.dtype != value.dtype || got.dims != value.dims) return "another type";
  for (std::int64_t i = 0; i < value.size(); ++i) {
    const double x = got.as_double(i), y = value.as_double(i), error = expected.error[static_cast<std::size_t>(i)];
    const bool same = is_float(got.dtype) ? distance(x, y) <= error
                                          : got.as_integer(i) == value.as_integer(i) || std::fabs(x - y) <= error;
    if (!same) return fmt::format("element {} is {} instead of {} within {}", i, x, y, error);
  }
  return {};
}

}  // namespace pullback::testing
