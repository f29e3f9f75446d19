#include "compiler/passes/match.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pullback::passes {

std::optional<ir::Literal> splat_of(const ir::Value* value) {
  const ir::Op* op = value->definer;
  while (op && (op->def == &ops::op_broadcast || op->def == &ops::op_reshape || op->def == &ops::op_transpose))
    op = op->operand(0)->definer;
  if (!op || op->def != &ops::op_constant) return std::nullopt;
  const ir::Literal& literal = op->attributes.literal("value");
  if (!literal.is_splat()) return std::nullopt;
  ir::Literal scalar(literal.dtype, {});
  std::copy_n(literal.bytes.begin(), scalar.bytes.size(), scalar.bytes.begin());
  return scalar;
}

bool is_splat_of(const ir::Value* value, double number) {
  const std::optional<ir::Literal> splat = splat_of(value);
  if (!splat) return false;
  const double found = splat->as_double(0);
  const bool same_sign = !is_float(splat->dtype) || std::signbit(found) == std::signbit(number);
  return found == number && same_sign;
}

ir::Integers inverse(const ir::Integers& permutation) {
  ir::Integers result(permutation.size());
  for (std::size_t i = 0; i < permutation.size(); ++i)
    result[static_cast<std::size_t>(permutation[i])] = static_cast<std::int64_t>(i);
  return result;
}

ir::Integers compose(const ir::Integers& first, const ir::Integers& second) {
  ir::Integers result;
  for (const std::int64_t axis : second) result.push_back(first[static_cast<std::size_t>(axis)]);
  return result;
}

ir::Integers identity(std::size_t rank) {
  ir::Integers result(rank);
  std::iota(result.begin(), result.end(), 0);
  return result;
}

bool is_increasing(const ir::Integers& values) {
  return std::is_sorted(values.begin(), values.end());
}

bool contains(const ir::Integers& values, std::int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace pullback::passes
