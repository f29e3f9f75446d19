// and, or, xor, not, shift_left, shift_right: integers, and bool for the logical four.
#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

constexpr const char* kBitsHaveNoGradient = "the result holds integers or bool, which have no gradient";

std::vector<Sample> bit_samples(std::size_t operands) {
  return {typed_sample(operands, DType::boolean, 0, 1), typed_sample(operands, DType::i32, -9, 9),
          typed_sample(operands, DType::u32, 0, 99), typed_sample(operands, DType::u8, 0, 255)};
}

std::vector<ir::Type> infer_shift(const InferContext& c) {
  c.require_integer(0);
  c.require_same_type(0, 1);
  return {c.type(0)};
}

// Also with amounts outside of what the type has bits for.
std::vector<Sample> shift_samples() {
  return {typed_sample(2, DType::i32, -3, 40), typed_sample(2, DType::u32, 0, 40), typed_sample(2, DType::u8, 0, 9),
          typed_sample(2, DType::i64, -3, 70)};
}

std::int64_t shifted_right(std::int64_t value, std::int64_t amount, std::int64_t width) {
  if (amount < 0 || amount >= width) return value < 0 ? -1 : 0;
  return value >> amount;
}

}  // namespace

const OpDef op_and{
    .name = "and",
    .arity = 2,
    .doc = "Bit by bit; logical for bool.",
    .traits = {.elementwise = true, .commutative = true},
    .infer = infer_bits,
    .no_vjp = kBitsHaveNoGradient,
    .element = element_binary(&kernel::Builder::bit_and),
    .eval = eval_binary(nullptr, [](std::int64_t x, std::int64_t y) { return x & y; }),
    .samples = bit_samples(2),
};

const OpDef op_or{
    .name = "or",
    .arity = 2,
    .doc = "Bit by bit; logical for bool.",
    .traits = {.elementwise = true, .commutative = true},
    .infer = infer_bits,
    .no_vjp = kBitsHaveNoGradient,
    .element = element_binary(&kernel::Builder::bit_or),
    .eval = eval_binary(nullptr, [](std::int64_t x, std::int64_t y) { return x | y; }),
    .samples = bit_samples(2),
};

const OpDef op_xor{
    .name = "xor",
    .arity = 2,
    .doc = "Bit by bit; logical for bool.",
    .traits = {.elementwise = true, .commutative = true},
    .infer = infer_bits,
    .no_vjp = kBitsHaveNoGradient,
    .element = element_binary(&kernel::Builder::bit_xor),
    .eval = eval_binary(nullptr, [](std::int64_t x, std::int64_t y) { return x ^ y; }),
    .samples = bit_samples(2),
};

const OpDef op_not{
    .name = "not",
    .arity = 1,
    .doc = "Bit by bit; logical for bool.",
    .traits = {.elementwise = true},
    .infer = infer_bits,
    .no_vjp = kBitsHaveNoGradient,
    .element = element_unary(&kernel::Builder::bit_not),
    .eval =
        [](EvalContext& c) {
          const ir::Literal& x = c.operand(0);
          for (std::int64_t i = 0; i < x.size(); ++i)
            c.result().set_integer(i, x.dtype == DType::boolean ? x.as_integer(i) == 0 : ~x.as_integer(i));
        },
    .samples = bit_samples(1),
};

const OpDef op_shift_left{
    .name = "shift_left",
    .arity = 2,
    .doc = "x * 2^amount in wrapping arithmetic; 0 when the amount is negative or at least the number of bits.",
    .traits = {.elementwise = true},
    .infer = infer_shift,
    .no_vjp = kBitsHaveNoGradient,
    .element = element_binary(&kernel::Builder::shl),
    .eval =
        [](EvalContext& c) {
          const auto width = static_cast<std::int64_t>(8 * size_of(c.result().dtype));
          for (std::int64_t i = 0; i < c.result().size(); ++i) {
            const std::int64_t amount = c.operand(1).as_integer(i);
            const auto value = static_cast<std::uint64_t>(c.operand(0).as_integer(i));
            c.result().set_integer(i, amount < 0 || amount >= width ? 0 : static_cast<std::int64_t>(value << amount));
          }
        },
    .samples = shift_samples(),
};

const OpDef op_shift_right{
    .name = "shift_right",
    .arity = 2,
    .doc =
        "floor(x / 2^amount): keeps the sign of signed integers. When the amount is negative or at least the number "
        "of bits: 0, or -1 for negative x.",
    .traits = {.elementwise = true},
    .infer = infer_shift,
    .no_vjp = kBitsHaveNoGradient,
    .element =
        [](LowerContext& c) {
          kernel::Value* x = c.read(0);
          kernel::Value* amount = c.read(1);
          return is_signed(x->dtype) ? c.build().sar(x, amount) : c.build().shr(x, amount);
        },
    .eval =
        [](EvalContext& c) {
          const auto width = static_cast<std::int64_t>(8 * size_of(c.result().dtype));
          for (std::int64_t i = 0; i < c.result().size(); ++i)
            c.result().set_integer(i, shifted_right(c.operand(0).as_integer(i), c.operand(1).as_integer(i), width));
        },
    .samples = shift_samples(),
};

}  // namespace pullback::ops
