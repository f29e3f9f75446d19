// rng_bits: counter-based random bits. Philox4x32-10 from Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy
// as 1, 2, 3" (2011). One counter makes four words, so element e is word e mod 4 of counter e / 4.
#include <algorithm>
#include <array>
#include <functional>
#include <numeric>

#include "compiler/ops/define.h"

namespace pullback::ops {

namespace {

constexpr std::uint32_t kMultiplier[2] = {0xD2511F53, 0xCD9E8D57};
constexpr std::uint32_t kWeyl[2] = {0x9E3779B9, 0xBB67AE85};
constexpr int kRounds = 10;

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{kMultiplier[0]} * counter[0];
    const std::uint64_t p1 = std::uint64_t{kMultiplier[1]} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += kWeyl[0];
    key[1] += kWeyl[1];
  }
  return counter;
}

// The counter: {block, stream, low and high word of step}.
void eval_rng_bits(EvalContext& c) {
  const auto step = static_cast<std::uint64_t>(c.operand(1).as_integer(0));
  const auto stream = static_cast<std::uint32_t>(c.attributes().integer("stream"));
  const std::array<std::uint32_t, 2> key{c.operand(0).data<std::uint32_t>()[0], c.operand(0).data<std::uint32_t>()[1]};
  for (std::int64_t e = 0; e < c.result().size(); ++e) {
    const std::array<std::uint32_t, 4> counter{static_cast<std::uint32_t>(e / 4), stream,
                                               static_cast<std::uint32_t>(step),
                                               static_cast<std::uint32_t>(step >> 32)};
    c.result().data<std::uint32_t>()[e] = philox(counter, key)[static_cast<std::size_t>(e % 4)];
  }
}

using Words = std::array<kernel::Value*, 4>;

Words philox(kernel::Builder& b, Words counter, std::array<kernel::Value*, 2> key) {
  const auto word = [&](std::uint32_t value) { return b.bits(DType::u32, value); };
  for (int round = 0; round < kRounds; ++round) {
    kernel::Value* m0 = word(kMultiplier[0]);
    kernel::Value* m1 = word(kMultiplier[1]);
    counter = {b.bit_xor(b.bit_xor(b.mulhi(m1, counter[2]), counter[1]), key[0]), b.mul(m1, counter[2]),
               b.bit_xor(b.bit_xor(b.mulhi(m0, counter[0]), counter[3]), key[1]), b.mul(m0, counter[0])};
    key = {b.add(key[0], word(kWeyl[0])), b.add(key[1], word(kWeyl[1]))};
  }
  return counter;
}

// A kernel of its own, so that each counter is computed once for its four elements; composed element by element the ten
// rounds would be done four times over.
void lower_rng_bits(LowerContext& c) {
  kernel::Builder& b = c.build();
  const std::vector<std::int64_t> dims = c.result_dims();
  const std::int64_t elements = std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
  constexpr std::int64_t kChunk = 1024;  // counters
  const std::int64_t counters = (elements + 3) / 4, chunk = std::min(counters, kChunk);
  if (elements == 0) return;
  c.outer_loop((counters + chunk - 1) / chunk, [&](const kernel::Index& i) {
    kernel::Value* step = b.convert(c.read(1, {}), DType::i64);
    const std::array<kernel::Value*, 2> key{c.read(0, {0}), c.read(0, {1})};
    b.vector_loop("counter", chunk, 16, 1, [&](const kernel::Index& n) {
      const kernel::Index number = i * chunk + n;
      const Words words =
          philox(b,
                 {b.convert(b.index_value(number), DType::u32),
                  b.bits(DType::u32, static_cast<std::uint32_t>(c.attributes().integer("stream"))),
                  b.convert(step, DType::u32), b.convert(b.shr(step, b.integer(DType::i64, 32)), DType::u32)},
                 key);
      for (std::size_t w = 0; w < words.size(); ++w) {
        const kernel::Index element = number * 4 + static_cast<std::int64_t>(w);
        const auto store = [&] { c.store(0, kernel::unflatten(element, dims), words[w]); };
        if (elements % (4 * chunk) == 0)
          store();
        else  // the last chunk, or the last counter, is not used up
          b.if_then(b.lt(b.index_value(element), b.integer(DType::i64, elements)), store);
      }
    });
  });
}

std::vector<ir::Type> infer_rng_bits(const InferContext& c) {
  if (c.type(0) != ir::Type{DType::u32, {2}}) c.fail("the key must be u32[2]");
  c.require_scalar(1);
  if (c.dtype(1) != DType::u32) c.require_index(1);
  const auto stream = c.attribute<std::int64_t>("stream");
  if (stream < 0 || stream > 0xFFFFFFFF) c.fail("the stream must fit in 32 bits");
  return {{DType::u32, c.attribute<Shape>("shape")}};
}

Sample rng_sample(Shape shape, DType step) {
  return {.shapes = {{2}, {}},
          .attributes = {{"stream", std::int64_t{3}}, {"shape", std::move(shape)}},
          .dtypes = {DType::u32, step},
          .low = 0,
          .high = 1000};
}

}  // namespace

const OpDef op_rng_bits{
    .name = "rng_bits",
    .arity = 2,
    .doc =
        "u32 random bits of shape `shape`: Philox4x32-10 with the key (u32[2]) over the counters "
        "{element / 4, stream, step}; word element mod 4. A pure function of its operands: for fresh numbers give "
        "each use its own `stream` (attribute) and each training step its own `step` (integer scalar).",
    .infer = infer_rng_bits,
    .no_vjp = "the result holds integers, which have no gradient",
    .kernel = lower_rng_bits,
    .eval = eval_rng_bits,
    .samples = {rng_sample({37}, DType::u32), rng_sample({3, 5, 7}, DType::i64),
                rng_sample({dim("a"), dim("b")}, DType::i32), rng_sample({1}, DType::u32),
                rng_sample({5000}, DType::i64), rng_sample({2, 4096}, DType::i64)},
};

}  // namespace pullback::ops
