// The interpreter: what each opcode and statement means.
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/interpret.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/kernel/verify.h"

using namespace pullback;
using namespace pullback::kernel;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();

std::uint64_t bits(float x) {
  return std::bit_cast<std::uint32_t>(x);
}
float number(std::uint64_t pattern) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
}

std::uint64_t apply(Opcode opcode, DType dtype, std::vector<std::uint64_t> operands) {
  return evaluate(opcode, dtype, dtype, operands);
}
float apply(Opcode opcode, float x, float y) {
  return number(apply(opcode, f32, {bits(x), bits(y)}));
}
std::int32_t apply_i32(Opcode opcode, std::int32_t x, std::int32_t y) {
  return static_cast<std::int32_t>(apply(opcode, i32, {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y)}));
}
std::uint64_t convert(DType from, DType to, std::uint64_t pattern) {
  return evaluate(Opcode::convert, from, to, std::span(&pattern, 1));
}

}  // namespace

TEST_CASE("integer operations are total and wrap") {
  constexpr std::int32_t low = std::numeric_limits<std::int32_t>::min();
  CHECK(apply_i32(Opcode::div, 7, 0) == -1);
  CHECK(apply_i32(Opcode::div, low, -1) == low);
  CHECK(apply_i32(Opcode::div, -7, 2) == -3);
  CHECK(apply_i32(Opcode::rem, 7, 0) == 7);
  CHECK(apply_i32(Opcode::rem, low, -1) == 0);
  CHECK(apply_i32(Opcode::rem, -7, 2) == -1);
  CHECK(apply_i32(Opcode::mul, 65536, 65536) == 0);
  CHECK(apply_i32(Opcode::sub, low, 1) == std::numeric_limits<std::int32_t>::max());
  CHECK(apply_i32(Opcode::shl, 1, 32) == 0);
  CHECK(apply_i32(Opcode::shl, 1, 31) == low);
  CHECK(apply_i32(Opcode::shr, -1, 28) == 15);
  CHECK(apply_i32(Opcode::shr, -1, -1) == 0);
  CHECK(apply_i32(Opcode::sar, -8, 1) == -4);
  CHECK(apply_i32(Opcode::sar, -8, 99) == -1);
  CHECK(apply(Opcode::abs, i32, {0x80000000u}) == 0x80000000u);
  CHECK(apply(Opcode::add, u8, {200, 100}) == 44);
  CHECK(apply(Opcode::div, u8, {200, 0}) == 255);
  CHECK(apply(Opcode::sar, u8, {0x80, 3}) == 0xF0);
  CHECK(apply(Opcode::bit_not, u8, {1}) == 254);
  CHECK(apply(Opcode::bit_not, boolean, {1}) == 0);
  CHECK(apply(Opcode::mulhi, u32, {0xFFFFFFFF, 0xFFFFFFFF}) == 0xFFFFFFFE);
  CHECK(apply(Opcode::lt, u32, {1, 0xFFFFFFFF}) == 1);
  CHECK(apply(Opcode::lt, i32, {1, 0xFFFFFFFF}) == 0);
}

TEST_CASE("floating operations follow IEEE 754-2019") {
  CHECK(std::isnan(apply(Opcode::max, kNaN, 1.0f)));
  CHECK(std::isnan(apply(Opcode::min, 1.0f, kNaN)));
  CHECK(std::signbit(apply(Opcode::min, 0.0f, -0.0f)));
  CHECK_FALSE(std::signbit(apply(Opcode::max, -0.0f, 0.0f)));
  CHECK(apply(Opcode::rem, -7.5f, 2.0f) == -1.5f);
  CHECK(apply(Opcode::eq, f32, {bits(kNaN), bits(kNaN)}) == 0);
  CHECK(apply(Opcode::ne, f32, {bits(kNaN), bits(kNaN)}) == 1);
  CHECK(number(apply(Opcode::round_even, f32, {bits(2.5f)})) == 2.0f);
  CHECK(number(apply(Opcode::fma, f32, {bits(1 + 0x1p-12f), bits(1 + 0x1p-12f), bits(-1 - 0x1p-11f)})) == 0x1p-24f);
  CHECK(number(apply(Opcode::scale, f32, {bits(1.5f), bits(-140.0f)})) == 0x1.8p-140f);
  CHECK(number(apply(Opcode::scale, f32, {bits(1.25f), bits(200.0f)})) == kInf);
}

TEST_CASE("conversions saturate, round to even and wrap") {
  CHECK(convert(f32, i32, bits(kNaN)) == 0);
  CHECK(convert(f32, i32, bits(kInf)) == 0x7FFFFFFF);
  CHECK(convert(f32, i32, bits(-3e9f)) == 0x80000000);
  CHECK(convert(f32, u8, bits(-1.5f)) == 0);
  CHECK(convert(f32, u8, bits(254.9f)) == 254);
  CHECK(convert(f32, i64, bits(1e30f)) == 0x7FFFFFFFFFFFFFFF);
  CHECK(convert(f32, boolean, bits(-0.0f)) == 0);
  CHECK(convert(f32, boolean, bits(kNaN)) == 1);
  CHECK(convert(i32, i64, 0xFFFFFFFF) == ~std::uint64_t{0});
  CHECK(convert(u32, i64, 0xFFFFFFFF) == 0xFFFFFFFF);
  CHECK(convert(i64, u8, 0x1FF) == 0xFF);
  CHECK(convert(f32, bf16, bits(1 + 0x1p-8f)) == 0x3F80);
  CHECK(convert(f32, bf16, bits(1 + 0x1.8p-7f)) == 0x3F82);
  CHECK(convert(f32, f16, bits(65520.0f)) == 0x7C00);
  CHECK(convert(f32, f16, bits(65519.0f)) == 0x7BFF);
  CHECK(convert(u32, f32, 0xFFFFFFFF) == bits(4294967296.0f));
}

TEST_CASE("a combined reduction adds lane by lane, then as a tree") {
  constexpr int count = 21, width = 4, accumulators = 2, lanes = width * accumulators;
  std::vector<float> x(count), sum(1);
  for (int i = 0; i < count; ++i) x[static_cast<std::size_t>(i)] = 1.0f / static_cast<float>(3 * i + 1);
  Kernel kernel;
  Builder b(kernel);
  const int in = b.buffer("x", f32, count, Access::in), out = b.buffer("sum", f32, 1, Access::out);
  b.store(out, 0,
          b.reduce("i", count, {LoopKind::vector, width, accumulators}, Combine::add, b.constant(f32, 0.5),
                   [&](const Index& i) { return b.load(in, i); }));
  verify(kernel, "test");
  void* const parameters[] = {x.data(), sum.data()};
  interpret(kernel, parameters);

  float lane[lanes];
  std::fill(lane, lane + lanes, -0.0f);
  for (int i = 0; i < count; ++i) lane[i % lanes] += x[static_cast<std::size_t>(i)];
  for (int n = lanes; n > 1; n /= 2)
    for (int i = 0; i < n / 2; ++i) lane[i] += lane[i + n / 2];
  CHECK(sum[0] == 0.5f + lane[0]);
}

TEST_CASE("identities leave values alone") {
  CHECK(apply(Opcode::add, f32, {identity_bits(Combine::add, f32), bits(-0.0f)}) == bits(-0.0f));
  CHECK(apply(Opcode::max, i32, {identity_bits(Combine::max, i32), 0x80000000}) == 0x80000000);
  CHECK(apply(Opcode::min, u8, {identity_bits(Combine::min, u8), 255}) == 255);
  CHECK(apply(Opcode::mul, f32, {identity_bits(Combine::mul, f32), bits(3.0f)}) == bits(3.0f));
}

TEST_CASE("contractions continue a chain and run their epilogue after all reads") {
  constexpr int m = 3, n = 5, k = 4;
  std::vector<float> a(m * k), w(k * n), c(m * n);
  std::iota(a.begin(), a.end(), 1.0f);
  std::iota(w.begin(), w.end(), -3.0f);
  std::iota(c.begin(), c.end(), 10.0f);
  std::vector<float> expected(c);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float& sum = expected[static_cast<std::size_t>(i * n + j)];
      for (int d = 0; d < k; ++d)
        sum = std::fma(a[static_cast<std::size_t>(i * k + d)], w[static_cast<std::size_t>(d * n + j)], sum);
      sum = std::max(sum, 0.0f);
    }
  Kernel kernel;
  Builder b(kernel);
  const int pa = b.buffer("a", f32, m * k, Access::in), pw = b.buffer("w", f32, k * n, Access::in);
  const int pc = b.buffer("c", f32, m * n, Access::inout);
  Contract tile;
  tile.rows = m, tile.columns = n, tile.depth = k;
  tile.a = {pa, 0, k, 1};
  tile.b = {pw, 0, n};
  tile.start = {pc, 0, n};
  b.contract(std::move(tile), f32, [&](const Index& row, const Index& column, Value* sum) {
    b.store(pc, row * n + column, b.max(sum, b.constant(f32, 0)));
  });
  verify(kernel, "test");
  void* const parameters[] = {a.data(), w.data(), c.data()};
  interpret(kernel, parameters);
  CHECK(c == expected);
}

TEST_CASE("a contraction starts at zero where the condition of its start does not hold") {
  Kernel kernel;
  kernel.name = "tile";
  Builder b(kernel);
  const int pa = b.buffer("a", f32, 2, Access::in), pw = b.buffer("w", f32, 2, Access::in);
  const int pc = b.buffer("c", f32, 2, Access::inout);
  b.serial_loop("i", 2, [&](const Index& i) {
    Contract tile;
    tile.rows = tile.columns = tile.depth = 1;
    tile.a = {pa, i, 1, 1};
    tile.b = {pw, i, 1};
    tile.start = {pc, i, 1, b.lt(b.integer(i64, 0), b.index_value(i))};
    b.contract(std::move(tile), f32, [&](const Index&, const Index&, Value* sum) { b.store(pc, i, sum); });
  });
  verify(kernel, "test");
  CHECK(print(kernel).find("start = c[i] row 1 if %1 -> ") != std::string::npos);
  std::vector<float> a{2, 3}, w{5, 7}, c{100, 1000};
  void* const parameters[] = {a.data(), w.data(), c.data()};
  interpret(kernel, parameters);
  CHECK(c == std::vector<float>{10, 1021});
}

TEST_CASE("a part of a parallel loop, predicated accesses, dynamic indices, carried values") {
  std::vector<std::int64_t> positions{2, 7, 0, 1};
  std::vector<float> table{1, 2, 3}, result(4, -1);
  Kernel kernel;
  Builder b(kernel);
  const int p = b.buffer("positions", i64, 4, Access::in), t = b.buffer("table", f32, 3, Access::in);
  const int r = b.buffer("result", f32, 4, Access::out);
  b.parallel_loop("i", 4, [&](const Index& i) {
    Value* position = b.load(p, i);
    Value* inside = b.lt(position, b.integer(i64, 3));
    Value* v = b.load_if(inside, t, Index::dynamic(position), b.constant(f32, 100));
    const auto powers = b.loop("power", 3, {}, {{b.constant(f32, 1)}}, [&](const Index&, const auto& carried) {
      return std::vector<Value*>{b.mul(carried[0], v)};
    });
    b.if_then_else(inside, [&] { b.store(r, i, powers[0]); }, [&] { b.store(r, i, v); });
  });
  verify(kernel, "test");
  void* const parameters[] = {positions.data(), table.data(), result.data()};
  interpret(kernel, parameters, 1, 3);
  CHECK(result == std::vector<float>{-1, 100, 1, -1});
  interpret(kernel, parameters);
  CHECK(result == std::vector<float>{27, 100, 1, 8});
}

TEST_CASE("an address outside its buffer is found") {
  std::vector<std::int64_t> positions{5};
  std::vector<float> result(1);
  Kernel kernel;
  Builder b(kernel);
  const int p = b.buffer("positions", i64, 1, Access::in), r = b.buffer("result", f32, 1, Access::out);
  b.store(r, Index::dynamic(b.load(p, 0)), b.constant(f32, 1));
  verify(kernel, "test");
  void* const parameters[] = {positions.data(), result.data()};
  CHECK_THROWS_WITH(interpret(kernel, parameters), Catch::Contains("result[5] is outside the buffer of 1 elements"));
}

TEST_CASE("each element that a contraction copies has its place") {
  std::vector<std::int64_t> positions{3};
  std::vector<float> x{1, 2, 3, 4}, copy(6);
  Kernel kernel;
  Builder b(kernel);
  const int p = b.buffer("positions", i64, 1, Access::in), in = b.buffer("x", f32, 4, Access::in);
  const int out = b.buffer("copy", f32, 6, Access::out);
  Contract tile;
  tile.rows = 1, tile.columns = 4, tile.depth = 1;
  tile.a = {in, 0, 0, 0};
  tile.b = {in, 0, 4};
  tile.copy = {out, Index::dynamic(b.load(p, 0)), 4};
  b.contract(std::move(tile), f32, [](const Index&, const Index&, Value*) {});
  verify(kernel, "test");
  void* const parameters[] = {positions.data(), x.data(), copy.data()};
  CHECK_THROWS_WITH(interpret(kernel, parameters), Catch::Contains("copy[6] is outside the buffer of 6 elements"));
  positions[0] = 2;
  copy.assign(6, 0);
  interpret(kernel, parameters);
  CHECK(copy == std::vector<float>{0, 0, 1, 2, 3, 4});
}
