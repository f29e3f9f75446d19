// Argument reduction of large numbers modulo pi/2, after M. Payne and R. Hanek, "Radian reduction for trigonometric
// functions" (1983): of the product x * 2/pi only the bits that matter are formed. For x = m 2^e, m in [1, 2), bits of
// 2/pi * 2^e that weigh 2^54 or more make multiples of 4 (m has steps of 2^-52), whole turns.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>

#include "compiler/ops/math/functions.h"

namespace pullback::ops::math {
namespace {

// The binary fraction of 2/pi, 32 bits a word.
constexpr std::uint32_t kTwoOverPiBits[] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
    0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
    0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
    0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab, 0xf0cfbc20, 0x9af4361d};

constexpr int kExponents = 1024, kParts = 4, kPartBits = 53;

/// Bit i (from 1, weight 2^-i) of the fraction.
bool fraction_bit(int i) {
  return kTwoOverPiBits[(i - 1) / 32] >> (31 - (i - 1) % 32) & 1;
}

/// For each exponent e four doubles whose sum is 2/pi * 2^e modulo 2^54, cut off 212 bits below its first bit.
std::shared_ptr<const kernel::Table> reduction_table() {
  auto table = std::make_shared<kernel::Table>();
  table->name = "two_over_pi";
  table->dtype = DType::f64;
  for (int e = 0; e < kExponents; ++e) {
    int i = std::max(1, e - kPartBits);
    for (int part = 0; part < kParts; ++part) {
      double value = 0;
      for (int end = i + kPartBits; i < end; ++i)
        if (fraction_bit(i)) value += std::ldexp(1.0, e - i);
      table->bits.push_back(std::bit_cast<std::uint64_t>(value));
    }
  }
  return table;
}

/// Makes terms[0] the rounded sum, terms[1] most of what is left, and so on; the sum stays exact.
template <std::size_t n>
void renormalize(std::array<Expr, n>& terms) {
  for (std::size_t i = n - 1; i-- > 0;) {
    const Pair sum = two_sum(terms[i], terms[i + 1]);
    terms[i] = sum.hi;
    terms[i + 1] = sum.lo;
  }
}

}  // namespace

Quadrant reduce_large(Expr x) {
  static const std::shared_ptr<const kernel::Table> table = reduction_table();
  const Expr bits = to_bits(x);
  const Expr one_bits = to_bits(x.like(1)), exponent_mask = to_bits(x.like(kInfinity));
  const Expr mantissa = from_bits((bits & !exponent_mask) | one_bits);
  Expr exponent = ((bits & exponent_mask) >> 52) - 1023.0;
  exponent = select(exponent < 0.0, 0.0, select(exponent > kExponents - 1, kExponents - 1, exponent));
  std::array<Pair, kParts> products;
  for (int part = 0; part < kParts; ++part) {
    const Expr position = exponent * double(kParts) + double(part);
    products[static_cast<std::size_t>(part)] = two_product(mantissa, x.with(x.builder->lookup(table, position.value)));
  }
  const Expr turns = round_even(products[0].hi * 0.25);
  std::array<Expr, 7> terms{fma(turns, -4.0, products[0].hi),
                            products[0].lo,
                            products[1].hi,
                            products[1].lo,
                            products[2].hi,
                            products[2].lo,
                            products[3].hi};
  renormalize(terms);
  renormalize(terms);
  const Expr quadrant = round_even(terms[0]);
  terms[0] = terms[0] - quadrant;
  renormalize(terms);
  renormalize(terms);
  const Pair half_pi{x.like(0x1.921fb54442d18p+0), x.like(0x1.1a62633145c07p-54)};
  const Pair r = multiply(Pair{terms[0], terms[1] + (terms[2] + terms[3])}, half_pi);
  return {to_bits(quadrant + 0x1.8p52), r};
}

}  // namespace pullback::ops::math
