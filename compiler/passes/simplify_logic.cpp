// Identities of choices, comparisons, bits and conversions.
#include "compiler/ops/build.h"
#include "compiler/passes/match.h"
#include "compiler/passes/simplify.h"

namespace pullback::passes {
namespace {

using ir::Builder;
using ir::Op;
using ir::Value;

Value* select_known(const Op& op, Builder&) {
  const std::optional<ir::Literal> predicate = splat_of(op.operand(0));
  return predicate ? op.operand(predicate->as_integer(0) != 0 ? 1 : 2) : nullptr;
}
Value* select_equals(const Op& op, Builder&) {
  return op.operand(1) == op.operand(2) ? op.operand(1) : nullptr;
}
Value* select_by_negation(const Op& op, Builder& b) {
  const Op* negation = made_by(op.operand(0), ops::op_not);
  if (!negation) return nullptr;
  return ops::select({b, negation->operand(0)}, {b, op.operand(2)}, {b, op.operand(1)}).value;
}
Value* select_truth(const Op& op, Builder& b) {
  if (op.result()->type.dtype != DType::boolean) return nullptr;
  if (is_splat_of(op.operand(1), 1) && is_splat_of(op.operand(2), 0)) return op.operand(0);
  if (is_splat_of(op.operand(1), 0) && is_splat_of(op.operand(2), 1)) return ops::bit_not({b, op.operand(0)}).value;
  return nullptr;
}

/// Not for floating x, which may be NaN.
Value* compare_with_itself(const Op& op, Builder& b) {
  if (op.operand(0) != op.operand(1) || is_float(op.operand(0)->type.dtype)) return nullptr;
  const std::string& direction = op.attributes.string("direction");
  const bool holds = direction == "eq" || direction == "le" || direction == "ge";
  return ops::full(b, op.result()->type, holds ? 1 : 0).value;
}
/// Every number of an unsigned type is at least 0.
Value* compare_unsigned_with_zero(const Op& op, Builder& b) {
  if (is_signed(op.operand(0)->type.dtype) || !is_splat_of(op.operand(1), 0)) return nullptr;
  const std::string& direction = op.attributes.string("direction");
  if (direction == "ge") return ops::full(b, op.result()->type, 1).value;
  if (direction == "lt") return ops::full(b, op.result()->type, 0).value;
  return nullptr;
}

Value* not_not(const Op& op, Builder&) {
  const Op* inner = made_by(op.operand(0), ops::op_not);
  return inner ? inner->operand(0) : nullptr;
}
/// Orders of floating numbers have no opposite: with NaN, x < y and x >= y are both false.
Value* not_compare(const Op& op, Builder& b) {
  const Op* compare = made_by(op.operand(0), ops::op_compare);
  if (!compare) return nullptr;
  static const std::pair<const char*, const char*> opposites[] = {{"eq", "ne"}, {"ne", "eq"}, {"lt", "ge"},
                                                                  {"ge", "lt"}, {"gt", "le"}, {"le", "gt"}};
  const std::string& direction = compare->attributes.string("direction");
  const bool ordered = direction != "eq" && direction != "ne";
  if (ordered && is_float(compare->operand(0)->type.dtype)) return nullptr;
  for (const auto& [from, to] : opposites)
    if (direction == from) return ops::compare({b, compare->operand(0)}, {b, compare->operand(1)}, to).value;
  return nullptr;
}
Value* bits_of_itself(const Op& op, Builder&) {
  return op.operand(0) == op.operand(1) ? op.operand(0) : nullptr;
}
Value* exclusive_or_itself(const Op& op, Builder& b) {
  return op.operand(0) == op.operand(1) ? ops::full(b, op.result()->type, 0).value : nullptr;
}
/// The number with no bit set, or with all.
bool no_bits(const Value* value) {
  return is_splat_of(value, 0);
}
bool all_bits(const Value* value) {
  const std::optional<ir::Literal> splat = splat_of(value);
  if (!splat) return false;
  if (splat->dtype == DType::boolean) return splat->as_integer(0) != 0;
  for (const std::byte byte : splat->bytes)
    if (byte != std::byte{0xff}) return false;
  return true;
}
Value* and_with_number(const Op& op, Builder&) {
  if (no_bits(op.operand(1))) return op.operand(1);
  return all_bits(op.operand(1)) ? op.operand(0) : nullptr;
}
Value* or_with_number(const Op& op, Builder&) {
  if (all_bits(op.operand(1))) return op.operand(1);
  return no_bits(op.operand(1)) ? op.operand(0) : nullptr;
}
Value* by_zero_bits(const Op& op, Builder&) {
  return no_bits(op.operand(1)) ? op.operand(0) : nullptr;
}

/// Does every number of `from` exist in `to`?
bool widens(DType from, DType to) {
  switch (from) {
    case DType::boolean:
      return true;
    case DType::u8:
      return to != DType::boolean;
    case DType::u32:
      return to == DType::i64 || to == DType::f64;
    case DType::i32:
      return to == DType::i64 || to == DType::f64;
    case DType::f16:
    case DType::bf16:
      return to == DType::f32 || to == DType::f64;
    case DType::f32:
      return to == DType::f64;
    case DType::i64:
    case DType::f64:
      return false;
  }
  return false;
}
Value* convert_to_same(const Op& op, Builder&) {
  return op.operand(0)->type == op.result()->type ? op.operand(0) : nullptr;
}
Value* convert_widened(const Op& op, Builder& b) {
  const Op* inner = made_by(op.operand(0), ops::op_convert);
  if (!inner || !widens(inner->operand(0)->type.dtype, inner->result()->type.dtype)) return nullptr;
  return ops::convert({b, inner->operand(0)}, op.result()->type.dtype).value;
}

}  // namespace

std::span<const SimplifyRule> logic_rules() {
  static const SimplifyRule table[] = {
      {&ops::op_select, "select(true, x, y) = x", select_known},
      {&ops::op_select, "select(p, x, x) = x", select_equals},
      {&ops::op_select, "select(not p, x, y) = select(p, y, x)", select_by_negation},
      {&ops::op_select, "select(p, true, false) = p", select_truth},
      {&ops::op_compare, "x = x, x <= x, x >= x hold for integers", compare_with_itself},
      {&ops::op_compare, "x >= 0 holds for unsigned integers", compare_unsigned_with_zero},
      {&ops::op_not, "not not x = x", not_not},
      {&ops::op_not, "not (x = y) is x != y; orders of integers too", not_compare},
      {&ops::op_and, "x and x = x", bits_of_itself},
      {&ops::op_or, "x or x = x", bits_of_itself},
      {&ops::op_xor, "x xor x = 0", exclusive_or_itself},
      {&ops::op_and, "x and 0 = 0, x and ~0 = x", and_with_number},
      {&ops::op_or, "x or 0 = x, x or ~0 = ~0", or_with_number},
      {&ops::op_xor, "x xor 0 = x", by_zero_bits},
      {&ops::op_shift_left, "x << 0 = x", by_zero_bits},
      {&ops::op_shift_right, "x >> 0 = x", by_zero_bits},
      {&ops::op_convert, "a conversion to the same type", convert_to_same},
      {&ops::op_convert, "a conversion of what was widened", convert_widened},
  };
  return table;
}

}  // namespace pullback::passes
