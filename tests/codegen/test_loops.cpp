// Vector loops with tails of all residues, reductions in their exact order, nested loops, branches between lanes.
#include <catch2/catch.hpp>

#include "compiler/ir/kernel/builder.h"
#include "tests/codegen/harness.h"

using namespace pullback;
using kernel::Access;
using kernel::Builder;
using kernel::Combine;
using kernel::Index;
using kernel::Kernel;
using kernel::LoopKind;
using kernel::Value;

TEST_CASE("vector loops of all sizes") {
  for (DType dtype : {u8, f16, f32, i64})
    for (std::int64_t n = 0; n <= 35; ++n)
      test::check_hard([&](Kernel& k) {
        Builder b(k);
        const int x = b.buffer("x", dtype, n, Access::in), y = b.buffer("y", dtype, n, Access::out);
        b.vector_loop("i", n, 16, 1,
                      [&](const Index& i) { b.store(y, i, b.add(b.load(x, i), b.load(x, Index(n - 1) - i))); });
      });
}

TEST_CASE("reductions combine lanes in the order that is promised") {
  for (Combine combine : {Combine::add, Combine::mul, Combine::max, Combine::min})
    for (DType dtype : {f32, f64, i32})
      for (const auto& [width, accumulators] : {std::pair(8, 1), std::pair(16, 4), std::pair(1, 2), std::pair(4, 1)}) {
        CAPTURE(kernel::name_of(combine), name_of(dtype), width, accumulators);
        test::check_plain([&](Kernel& k) {
          Builder b(k);
          for (std::int64_t n : {0, 1, 3, 8, 15, 16, 17, 63, 64, 65, 200, 1031}) {
            const int x = b.buffer("x" + std::to_string(n), dtype, n, Access::in);
            const int y = b.buffer("y" + std::to_string(n), dtype, 2, Access::inout);
            const auto element = [&](const Index& i) { return b.load(x, i); };
            Value* vector = b.reduce("i", n, {LoopKind::vector, width, accumulators}, combine, b.load(y, 0), element);
            Value* serial = b.reduce("i", n, {LoopKind::serial, 1, 1}, combine, b.load(y, 1), element);
            b.store(y, 0, vector);
            b.store(y, 1, serial);
          }
        });
      }
}

TEST_CASE("a loop may carry several reductions, and fma chains") {
  for (std::int64_t n : {1, 31, 32, 100})
    test::check_hard([&](Kernel& k) {
      Builder b(k);
      const int x = b.buffer("x", f32, n, Access::in), y = b.buffer("y", f32, 2, Access::out);
      const auto results = b.loop("i", n, {LoopKind::vector, 8, 2},
                                  {{b.constant(f32, 1), Combine::add}, {b.constant(f32, 0), Combine::max}},
                                  [&](const Index& i, const std::vector<Value*>& carried) {
                                    Value* v = b.load(x, i);
                                    return std::vector<Value*>{b.fma(v, v, carried[0]), b.max(carried[1], v)};
                                  });
      b.store(y, 0, results[0]);
      b.store(y, 1, results[1]);
    });
}

TEST_CASE("many reductions of a loop are added up side by side, each in its order") {
  for (DType dtype : {f32, f64, i32, u8})
    for (const int width : {4, 8, 16})
      for (const std::size_t count : {3, 4, 5, 8, 17, 25}) {
        CAPTURE(name_of(dtype), width, count);
        test::check_plain([&](Kernel& k) {
          Builder b(k);
          constexpr std::int64_t kElements = 41;
          const auto all = static_cast<std::int64_t>(count);
          const int x = b.buffer("x", dtype, kElements + all, Access::in), y = b.buffer("y", dtype, all, Access::inout);
          std::vector<Builder::Carry> carries;
          for (std::int64_t i = 0; i < all; ++i)
            carries.push_back({b.load(y, i), i % 7 == 6 ? Combine::max : Combine::add});
          const auto results = b.loop("i", kElements, {LoopKind::vector, width, count > 4 ? 1 : 2}, carries,
                                      [&](const Index& i, const std::vector<Value*>& carried) {
                                        std::vector<Value*> next;
                                        for (std::int64_t c = 0; c < all; ++c) {
                                          const std::size_t at = next.size();
                                          next.push_back(b.combine(carries[at].combine, carried[at], b.load(x, i + c)));
                                        }
                                        return next;
                                      });
          for (std::int64_t i = 0; i < all; ++i) b.store(y, i, results[static_cast<std::size_t>(i)]);
        });
      }
}

TEST_CASE("loops within vector loops: each lane walks its own row or column") {
  constexpr std::int64_t kRows = 7, kColumns = 37;
  for (const bool by_column : {false, true})
    test::check_plain([&](Kernel& k) {
      Builder b(k);
      const int x = b.buffer("x", f32, kRows * kColumns, Access::in);
      const int y = b.buffer("y", f32, kColumns, Access::out);
      const std::int64_t lanes = by_column ? kColumns : kRows, steps = by_column ? kRows : kColumns;
      b.vector_loop("i", lanes, 8, 1, [&](const Index& i) {
        const auto sums = b.loop("j", steps, {LoopKind::serial, 1, 1}, {{b.constant(f32, 0), Combine::none}},
                                 [&](const Index& j, const std::vector<Value*>& carried) {
                                   const Index at = by_column ? j * kColumns + i : i * kColumns + j;
                                   return std::vector<Value*>{b.fma(carried[0], b.constant(f32, 0.5), b.load(x, at))};
                                 });
        b.store(y, i, sums[0]);
      });
    });
}

TEST_CASE("unrolled and parallel loops") {
  test::check_plain([&](Kernel& k) {
    Builder b(k);
    const int x = b.buffer("x", f32, 11 * 4 * 9, Access::in), y = b.buffer("y", f32, 11 * 4 * 9, Access::out);
    const int t = b.buffer("t", f32, 9, Access::scratch);
    b.parallel_loop("p", 11, [&](const Index& p) {
      b.unrolled_loop("u", 4, [&](const Index& u) {
        b.vector_loop("i", 9, 4, 1, [&](const Index& i) { b.store(t, i, b.neg(b.load(x, p * 36 + u * 9 + i))); });
        b.vector_loop("i", 9, 4, 1, [&](const Index& i) { b.store(y, p * 36 + u * 9 + i, b.load(t, Index(8) - i)); });
      });
    });
  });
}

TEST_CASE("branches, where lanes disagree and where they do not") {
  for (std::int64_t n : {1, 5, 16, 45})
    test::check_hard([&](Kernel& k) {
      Builder b(k);
      const int x = b.buffer("x", f32, n, Access::in), c = b.buffer("c", boolean, n, Access::in);
      const int y = b.buffer("y", f32, n, Access::inout), z = b.buffer("z", f32, n, Access::inout);
      b.vector_loop("i", n, 16, 1, [&](const Index& i) {
        Value* v = b.load(x, i);
        b.if_then_else(
            b.load(c, i),
            [&] {
              b.store(y, i, b.mul(v, v));
              b.if_then(b.gt(v, b.constant(f32, 0)), [&] { b.store(z, i, b.sqrt(b.load(y, i))); });
            },
            [&] { b.store(y, i, b.add(b.load(z, i), b.load(x, 0))); });
      });
      b.serial_loop("j", n, [&](const Index& j) {
        b.if_then(b.load(c, j), [&] { b.store(z, j, b.add(b.load(z, j), b.load(y, 0))); });
        b.store_if(b.logical_not(b.load(c, j)), y, j, b.constant(f32, 3));
      });
    });
}

TEST_CASE("a vector loop around an unrolled one transposes squares") {
  for (DType dtype : {u8, boolean, bf16, f32, f64})
    for (std::int64_t rows : {4, 5, 16, 23})
      for (std::int64_t columns : {2, 8, 15, 16, 19})
        test::check_plain([&](Kernel& k) {
          Builder b(k);
          const std::int64_t stride = columns + 3;
          const int x = b.buffer("x", dtype, rows * stride, Access::in);
          const int y = b.buffer("y", dtype, rows * columns, Access::out);
          b.vector_loop("i", rows, 16, 1, [&](const Index& i) {
            b.unrolled_loop("u", columns, [&](const Index& u) { b.store(y, u * rows + i, b.load(x, i * stride + u)); });
          });
        });
}
