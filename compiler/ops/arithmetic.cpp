// add, sub, mul, div, rem, neg, abs, sign, maximum, minimum: numbers of any type, element by element.
#include <cmath>
#include <limits>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

// 64-bit arithmetic that wraps; the low bits are right for narrower types too.
std::int64_t wrap(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
std::uint64_t bits(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

std::vector<Sample> with_integers(std::vector<Sample> samples, std::size_t operands) {
  samples.push_back(typed_sample(operands, DType::i32, -9, 9));
  samples.push_back(typed_sample(operands, DType::i64, -9, 9));
  samples.push_back(typed_sample(operands, DType::u8, 0, 255));
  return samples;
}

// IEEE 754-2019 maximum: a NaN wins, -0 < +0.
double maximum_of(double x, double y) {
  if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<double>::quiet_NaN();
  if (x == y) return std::signbit(x) ? y : x;
  return x > y ? x : y;
}

double minimum_of(double x, double y) {
  return -maximum_of(-x, -y);
}

// The larger (for maximum) operand takes the gradient; equal ones half each; both all of it where one is NaN.
void larger_operand_vjp(GradContext& c, const char* loses) {
  const Value g = c.out_grad(), zero = full_like(g, 0), half = g * 0.5;
  const Value tie = eq(c.operand(0), c.operand(1));
  for (std::size_t i = 0; i < 2; ++i) {
    const Value lost = compare(c.operand(i), c.operand(1 - i), loses);
    c.add_grad(i, select(tie, half, select(lost, zero, g)));
  }
}

}  // namespace

const OpDef op_add{
    .name = "add",
    .arity = 2,
    .doc = "x + y. Gradients: dx = g, dy = g. Integers wrap.",
    .traits = {.elementwise = true, .commutative = true, .is_linear = true},
    .infer = infer_number,
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, c.out_grad());
          c.add_grad(1, c.out_grad());
        },
    .element = element_binary(&kernel::Builder::add),
    .eval = eval_binary([](double x, double y) { return x + y; },
                        [](std::int64_t x, std::int64_t y) { return wrap(bits(x) + bits(y)); }),
    .samples = with_integers(binary_samples(-2, 2), 2),
};

const OpDef op_sub{
    .name = "sub",
    .arity = 2,
    .doc = "x - y. Gradients: dx = g, dy = -g. Integers wrap.",
    .traits = {.elementwise = true, .is_linear = true},
    .infer = infer_number,
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, c.out_grad());
          if (c.needs_grad(1)) c.add_grad(1, -c.out_grad());
        },
    .element = element_binary(&kernel::Builder::sub),
    .eval = eval_binary([](double x, double y) { return x - y; },
                        [](std::int64_t x, std::int64_t y) { return wrap(bits(x) - bits(y)); }),
    .samples = with_integers(binary_samples(-2, 2), 2),
};

const OpDef op_mul{
    .name = "mul",
    .arity = 2,
    .doc = "x * y. Gradients: dx = g*y, dy = g*x. Integers wrap.",
    .traits = {.elementwise = true, .commutative = true},
    .infer = infer_number,
    .vjp =
        [](GradContext& c) {
          if (c.needs_grad(0)) c.add_grad(0, c.out_grad() * c.operand(1));
          if (c.needs_grad(1)) c.add_grad(1, c.out_grad() * c.operand(0));
        },
    .element = element_binary(&kernel::Builder::mul),
    .eval = eval_binary([](double x, double y) { return x * y; },
                        [](std::int64_t x, std::int64_t y) { return wrap(bits(x) * bits(y)); }),
    .samples = with_integers(binary_samples(-2, 2), 2),
};

const OpDef op_div{
    .name = "div",
    .arity = 2,
    .doc =
        "x / y. Integers truncate; x/0 = -1 (all ones), MIN/-1 = MIN (StableHLO's RISC-V convention). "
        "Gradients: dx = g/y, dy = -(g/y)*(x/y).",
    .traits = {.elementwise = true},
    .infer = infer_number,
    .vjp =
        [](GradContext& c) {
          const Value dx = c.out_grad() / c.operand(1);
          c.add_grad(0, dx);
          if (c.needs_grad(1)) c.add_grad(1, -(dx * c.result()));
        },
    .element = element_binary(&kernel::Builder::div),
    .eval = eval_binary([](double x, double y) { return x / y; },
                        [](std::int64_t x, std::int64_t y) {
                          if (y == 0) return std::int64_t{-1};
                          return y == -1 ? wrap(-bits(x)) : x / y;
                        }),
    .samples = with_integers(binary_samples(0.5, 2), 2),
};

const OpDef op_rem{
    .name = "rem",
    .arity = 2,
    .doc =
        "The remainder of the division that truncates, with the sign of x: C's fmod, exact. Integers: x rem 0 = x. "
        "Gradients: dx = g, dy = -g*trunc(x/y), the jumps left out.",
    .traits = {.elementwise = true},
    .infer = infer_number,
    .vjp =
        [](GradContext& c) {
          c.add_grad(0, c.out_grad());
          if (c.needs_grad(1)) c.add_grad(1, -(c.out_grad() * trunc(c.operand(0) / c.operand(1))));
        },
    .element = element_binary(&kernel::Builder::rem),
    .eval = eval_binary([](double x, double y) { return std::fmod(x, y); },
                        [](std::int64_t x, std::int64_t y) {
                          if (y == 0) return x;
                          return y == -1 ? std::int64_t{0} : x % y;
                        }),
    .samples =
        with_integers(binary_samples(1.1, 2), 2),  // x/y stays off the integers but 1, which is met with chance 0
};

const OpDef op_neg{
    .name = "neg",
    .arity = 1,
    .doc = "-x. Gradient: dx = -g. Integers wrap.",
    .traits = {.elementwise = true, .is_linear = true},
    .infer = infer_number,
    .vjp = [](GradContext& c) { c.add_grad(0, -c.out_grad()); },
    .element = element_unary(&kernel::Builder::neg),
    .eval = eval_unary([](double x) { return -x; }, [](std::int64_t x) { return wrap(-bits(x)); }),
    .samples = with_integers(unary_samples(-2, 2), 1),
};

const OpDef op_abs{
    .name = "abs",
    .arity = 1,
    .doc = "|x|. Gradient: dx = g*sign(x), so 0 at 0. Integers: abs(MIN) = MIN.",
    .traits = {.elementwise = true},
    .infer = infer_number,
    .vjp = [](GradContext& c) { c.add_grad(0, c.out_grad() * sign(c.operand(0))); },
    .element = element_unary(&kernel::Builder::abs),
    .eval =
        eval_unary([](double x) { return std::fabs(x); }, [](std::int64_t x) { return x < 0 ? wrap(-bits(x)) : x; }),
    .samples = with_integers(unary_samples(0.1, 2), 1),
};

const OpDef op_sign{
    .name = "sign",
    .arity = 1,
    .doc = "-1, 0 or 1; zeros keep their sign and NaN stays. Gradient: 0.",
    .traits = {.elementwise = true},
    .infer = infer_number,
    .vjp = [](GradContext&) {},  // constant but at 0
    .element =
        [](LowerContext& c) {
          kernel::Builder& b = c.build();
          kernel::Value* x = c.read(0);
          kernel::Value* zero = b.like(x, 0);
          kernel::Value* sign = b.select(b.gt(x, zero), b.like(x, 1), x);
          return is_signed(x->dtype) ? b.select(b.lt(x, zero), b.like(x, -1), sign) : sign;
        },
    .eval =
        eval_unary([](double x) { return x > 0   ? 1.0
                                         : x < 0 ? -1.0
                                                 : x; },
                   [](std::int64_t x) { return static_cast<std::int64_t>(x > 0) - static_cast<std::int64_t>(x < 0); }),
    .samples = with_integers(unary_samples(0.1, 2), 1),
};

const OpDef op_maximum{
    .name = "maximum",
    .arity = 2,
    .doc =
        "The larger; NaN if either is, +0 over -0 (IEEE 754-2019 maximum). Gradient: g to the larger, g/2 each "
        "where they are equal (as PyTorch).",
    .traits = {.elementwise = true, .commutative = true},
    .infer = infer_number,
    .vjp = [](GradContext& c) { larger_operand_vjp(c, "lt"); },
    .element = element_binary(&kernel::Builder::max),
    .eval = eval_binary(maximum_of, [](std::int64_t x, std::int64_t y) { return x > y ? x : y; }),
    .samples = with_integers(binary_samples(-2, 2), 2),
};

const OpDef op_minimum{
    .name = "minimum",
    .arity = 2,
    .doc =
        "The smaller; NaN if either is, -0 over +0 (IEEE 754-2019 minimum). Gradient: g to the smaller, g/2 each "
        "where they are equal (as PyTorch).",
    .traits = {.elementwise = true, .commutative = true},
    .infer = infer_number,
    .vjp = [](GradContext& c) { larger_operand_vjp(c, "gt"); },
    .element = element_binary(&kernel::Builder::min),
    .eval = eval_binary(minimum_of, [](std::int64_t x, std::int64_t y) { return x < y ? x : y; }),
    .samples = with_integers(binary_samples(-2, 2), 2),
};

}  // namespace pullback::ops
