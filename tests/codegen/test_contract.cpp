// Register tiles of contractions: row and column tails, depths around the unrolling, chains through C, epilogues.
#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/builder.h"
#include "tests/codegen/harness.h"

using namespace pullback;
using kernel::Access;
using kernel::Builder;
using kernel::Contract;
using kernel::Index;
using kernel::Kernel;
using kernel::Value;
using test::product;

namespace {

struct Shape {
  std::int64_t rows, columns, depth;
  bool transposed = false;  // A is stored [depth][rows]
};

/// C[rows,columns] = A*B by one tile, in two blocks of k where `chained`.
void check_tile(const Shape& s, DType input, DType sum, bool chained = false) {
  CAPTURE(s.rows, s.columns, s.depth, name_of(input), chained);
  test::check_plain([&](Kernel& k) {
    Builder b(k);
    const int a = b.buffer("a", input, s.rows * s.depth, Access::in);
    const int x = b.buffer("b", input, s.depth * s.columns, Access::in);
    const int c = b.buffer("c", sum, s.rows * s.columns, Access::inout);
    const std::int64_t row = s.transposed ? 1 : s.depth, step = s.transposed ? s.rows : 1;
    const auto block = [&](std::int64_t from, std::int64_t depth, bool more) {
      Contract tile;
      tile.rows = s.rows;
      tile.columns = s.columns;
      tile.depth = depth;
      tile.a = {a, Index(from * step), row, step};
      tile.b = {x, Index(from * s.columns), s.columns};
      if (more) tile.start = {c, Index(0), s.columns};
      b.contract(std::move(tile), sum,
                 [&](const Index& i, const Index& j, Value* value) { b.store(c, i * s.columns + j, value); });
    };
    block(0, chained ? s.depth / 2 : s.depth, false);
    if (chained) block(s.depth / 2, s.depth - s.depth / 2, true);
  });
}

/// The sums are stored to c[rows,columns].
void store_tile(Builder& b, Contract tile, DType sum, int c) {
  const std::int64_t columns = tile.columns;
  b.contract(std::move(tile), sum,
             [&](const Index& i, const Index& j, Value* value) { b.store(c, i * columns + j, value); });
}

}  // namespace

TEST_CASE("tiles of all column tails") {
  for (std::int64_t columns = 1; columns <= 35; ++columns) check_tile({3, columns, 5}, f32, f32);
  for (std::int64_t columns = 1; columns <= 17; ++columns) check_tile({2, columns, 9}, f64, f64);
}

TEST_CASE("tiles of all row counts and depths") {
  for (std::int64_t rows = 1; rows <= 14; ++rows) check_tile({rows, 32, 13}, f32, f32);
  for (std::int64_t depth = 0; depth <= 18; ++depth) check_tile({4, 20, depth, true}, f32, f32, depth % 2 == 1);
}

TEST_CASE("rows of A in runs") {
  for (const std::int64_t columns : {16, 21, 32})
    for (const bool vectors : {false, true})
      test::check_plain([&](Kernel& k) {
        constexpr std::int64_t run = 3, runs = 3, depth = 7;
        Builder b(k);
        const int a = b.buffer("a", f32, (20 * runs + run + depth) * columns, Access::in);
        const int x = b.buffer("b", f32, depth * columns, Access::in);
        const int c = b.buffer("c", f32, run * runs * columns, Access::out);
        Contract tile = product(run * runs, columns, depth, a, x);
        const std::int64_t pixel = vectors ? columns : 1;
        tile.a = {a, Index(0), pixel, pixel, vectors ? 1 : 0, run, 20 * pixel};
        store_tile(b, std::move(tile), f32, c);
      });
}

TEST_CASE("rows slide along the steps of a filter") {
  struct Sizes {
    std::int64_t rows, row, columns, taps, tap;
    DType dtype = f32;
  };
  // Dilated and strided ones, more taps than there are registers for, and filters for each column.
  for (const Sizes& s : {Sizes{7, 1, 28, 3, 1},
                         {14, 1, 14, 5, 1},
                         {5, 1, 33, 3, 2},
                         {6, 2, 16, 3, 1},
                         {4, 3, 7, 9, 1},
                         {7, 1, 32, 3, 3},
                         {2, 1, 16, 2, 1, f64},
                         {3, 1, 20, 9, 1, bf16}})
    for (const bool by_column : {false, true})
      for (const bool bounded : {false, true}) {
        CAPTURE(s.rows, s.columns, s.taps, by_column, bounded);
        test::check_plain([&](Kernel& k) {
          constexpr std::int64_t pitch = 40, around = 3;
          const DType sum = s.dtype == f64 ? f64 : f32;
          Builder b(k);
          const std::int64_t pixels = s.rows * s.row + s.taps * s.tap;
          const int a = b.buffer("a", s.dtype, pixels * pitch + around, Access::in);
          const int x = b.buffer("b", s.dtype, around * s.taps * s.columns, Access::in);
          const int c = b.buffer("c", sum, s.rows * s.columns, Access::out);
          Contract tile = product(s.rows, s.columns, s.taps, a, x);
          tile.a = {a, Index(bounded ? -pitch : 0), s.row * pitch, s.tap * pitch, 1};
          tile.b = {x, Index(0), by_column ? s.columns : 1, by_column ? 1 : 0};
          tile.around = {{around, 1, by_column ? s.taps * s.columns : s.taps}};
          if (bounded) tile.bounds.push_back({Index(-1), s.rows * s.row, s.row, {0, s.tap}});
          store_tile(b, std::move(tile), sum, c);
        });
      }
}

TEST_CASE("tiles stored as their transposes") {
  for (DType dtype : {f32, f64})
    for (std::int64_t rows : {2, 3, 7, 8, 10, 14})
      for (std::int64_t columns : {1, 2, 5, 16, 21, 48})
        test::check_plain([&](Kernel& k) {
          Builder b(k);
          const int a = b.buffer("a", dtype, rows * 6, Access::in);
          const int x = b.buffer("b", dtype, 6 * columns, Access::in);
          const int bias = b.buffer("bias", dtype, rows, Access::in);
          const int c = b.buffer("c", dtype, rows * columns, Access::out);
          Contract tile;
          tile.rows = rows;
          tile.columns = columns;
          tile.depth = 6;
          tile.a = {a, Index(0), 6, 1};
          tile.b = {x, Index(0), columns};
          b.contract(std::move(tile), dtype, [&](const Index& i, const Index& j, Value* value) {
            b.store(c, j * rows + i, b.add(value, b.load(bias, i)));
          });
        });
}

TEST_CASE("long epilogues stand in the code once for vectors that lie below each other, short ones for each vector") {
  constexpr std::int64_t rows = 6, columns = 16, depth = 5;
  const auto tile_with = [](Kernel& k, bool transposed, int steps) {
    Builder b(k);
    const int a = b.buffer("a", f32, rows * depth, Access::in), x = b.buffer("b", f32, depth * columns, Access::in);
    const int c = b.buffer("c", f32, rows * columns, Access::inout);
    b.contract(product(rows, columns, depth, a, x), f32, [&](const Index& i, const Index& j, Value* value) {
      const Index at = transposed ? j * rows + i : i * columns + j;
      Value* y = b.sqrt(b.abs(b.sub(b.load(c, at), value)));
      for (int s = 0; s < steps; ++s) y = b.add(b.mul(y, b.constant(f32, 0.75)), b.constant(f32, s));
      b.store(c, at, y);
    });
  };
  const auto roots = [&](bool transposed, int steps) {
    auto kernel = std::make_shared<Kernel>();
    tile_with(*kernel, transposed, steps);
    test::check_plain([&](Kernel& k) { tile_with(k, transposed, steps); });
    const codegen::Compiled compiled =
        driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v3"), .want_asm_text = true});
    int count = 0;
    for (std::size_t at = 0; (at = compiled.asm_text.find("vsqrtps", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(roots(false, 0) == rows * columns / 8);
  CHECK(roots(false, 10) == columns / 8);
  CHECK(roots(true, 0) == columns);
  CHECK(roots(true, 10) == 1);
}

TEST_CASE("tiles that copy B") {
  for (DType dtype : {f32, f64, bf16})
    for (std::int64_t columns : {1, 2, 5, 16, 21, 48})
      for (std::int64_t depth : {0, 1, 6, 13})
        test::check_plain([&](Kernel& k) {
          constexpr std::int64_t rows = 3, pitch = 50;
          const DType sum = dtype == bf16 ? f32 : dtype;
          Builder b(k);
          const int a = b.buffer("a", dtype, rows * depth, Access::in);
          const int x = b.buffer("b", dtype, depth * columns, Access::in);
          const int copy = b.buffer("copy", dtype, depth * pitch, Access::inout);
          const int c = b.buffer("c", sum, rows * columns, Access::out);
          Contract tile = product(rows, columns, depth, a, x);
          tile.copy = {copy, Index(0), pitch};
          store_tile(b, std::move(tile), sum, c);
        });
}

TEST_CASE("tiles whose A moves along columns, too") {
  for (DType dtype : {f32, f64, bf16})
    for (std::int64_t columns : {1, 2, 5, 16, 21, 48})
      for (std::int64_t rows : {1, 3, 8})
        test::check_plain([&](Kernel& k) {
          constexpr std::int64_t depth = 7;
          const DType sum = dtype == bf16 ? f32 : dtype;
          Builder b(k);
          const int a = b.buffer("a", dtype, (rows + depth) * columns, Access::in);
          const int x = b.buffer("b", dtype, depth * columns, Access::in);
          const int c = b.buffer("c", sum, rows * columns, Access::out);
          Contract tile = product(rows, columns, depth, a, x);
          tile.a = {a, Index(0), columns, columns, 1};
          store_tile(b, std::move(tile), sum, c);
        });
}

TEST_CASE("tiles with one filter: B is broadcast, A moves along columns") {
  for (DType dtype : {f32, f64, bf16})
    for (std::int64_t columns : {1, 2, 5, 14, 16, 21, 48})
      for (std::int64_t rows : {1, 3, 7})
        test::check_plain([&](Kernel& k) {
          constexpr std::int64_t depth = 5, around = 3;
          const DType sum = dtype == bf16 ? f32 : dtype;
          const std::int64_t pitch = columns + depth - 1;
          Builder b(k);
          const int a = b.buffer("a", dtype, (rows + around - 1) * pitch, Access::in);
          const int x = b.buffer("b", dtype, around * depth, Access::in);
          const int c = b.buffer("c", sum, rows * columns, Access::out);
          Contract tile = product(rows, columns, depth, a, x);
          tile.a = {a, Index(0), pitch, 1, 1};
          tile.b = {x, Index(0), 1, 0};
          tile.around = {{around, pitch, depth}};
          store_tile(b, std::move(tile), sum, c);
        });
}

TEST_CASE("the last columns are part of a whole vector, unless the epilogue reads what it writes") {
  const auto is_masked = [](bool in_place) {
    auto kernel = std::make_shared<Kernel>();
    Builder b(*kernel);
    const int a = b.buffer("a", f32, 2 * 5, Access::in), x = b.buffer("b", f32, 5 * 14, Access::in);
    const int c = b.buffer("c", f32, 2 * 14, in_place ? Access::inout : Access::out);
    b.contract(product(2, 14, 5, a, x), f32, [&](const Index& i, const Index& j, Value* value) {
      b.store(c, i * 14 + j, in_place ? b.add(b.load(c, i * 14 + j), value) : value);
    });
    const codegen::Compiled compiled =
        driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v3"), .want_asm_text = true});
    return compiled.asm_text.find("vmaskmov") != std::string::npos;
  };
  CHECK(!is_masked(false));
  CHECK(is_masked(true));
}

TEST_CASE("sums of a narrow last vector stay in registers") {
  const auto uses_stack = [](const char* target, std::int64_t rows, std::int64_t columns, bool in_place) {
    constexpr std::int64_t depth = 100;
    auto kernel = std::make_shared<Kernel>();
    Builder b(*kernel);
    const int a = b.buffer("a", f32, rows * depth, Access::in), x = b.buffer("b", f32, depth * columns, Access::in);
    const int c = b.buffer("c", f32, rows * columns, in_place ? Access::inout : Access::out);
    b.contract(product(rows, columns, depth, a, x), f32, [&](const Index& i, const Index& j, Value* value) {
      const Index at = i * columns + j;
      b.store(c, at, in_place ? b.add(b.load(c, at), value) : value);
    });
    const codegen::Compiled compiled =
        driver::generate_code(test::schedule_of(kernel), {.target = Target::parse(target), .want_asm_text = true});
    return compiled.asm_text.find("(%rsp)") != std::string::npos;
  };
  for (const bool in_place : {false, true}) {
    for (std::int64_t columns = 17; columns <= 32; ++columns)
      CHECK_FALSE(uses_stack("x86-64-v4", 14, columns, in_place));
    for (std::int64_t columns = 33; columns <= 40; ++columns)
      CHECK_FALSE(uses_stack("x86-64-v4", 8, columns, in_place));
    for (std::int64_t columns = 9; columns <= 16; ++columns) CHECK_FALSE(uses_stack("x86-64-v3", 6, columns, in_place));
  }
}

TEST_CASE("what rows meet again in another step stays in no register that sums need") {
  // One channel: five taps of a row, all in the code; and three channels of which a pixel is every second.
  for (const std::int64_t channels : {1, 3}) {
    constexpr std::int64_t rows = 14, columns = 32, taps = 5, pixels = 64;
    auto kernel = std::make_shared<Kernel>();
    Builder b(*kernel);
    const int a = b.buffer("a", f32, pixels * taps * channels, Access::in);
    const int x = b.buffer("b", f32, taps * taps * channels * columns, Access::in);
    const int c = b.buffer("c", f32, rows * columns, Access::out);
    Contract tile = product(rows, columns, channels, a, x);
    tile.a = {a, Index(-2 * channels), channels, 1};
    tile.around = {{taps, pixels * channels, taps * channels * columns}, {taps, channels, channels * columns}};
    tile.bounds.push_back({Index(-2), pixels, 1, {0, 1, 0}});
    store_tile(b, std::move(tile), f32, c);
    const codegen::Compiled compiled =
        driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v4"), .want_asm_text = true});
    std::istringstream lines(compiled.asm_text);
    int spilled = 0;
    for (std::string line; std::getline(lines, line);)
      if (line.find("%zmm") != std::string::npos && line.find("(%rsp)") != std::string::npos) ++spilled;
    CHECK(spilled == 0);
  }
}

TEST_CASE("products of one sum do not follow each other closely where a filter slides") {
  constexpr std::int64_t rows = 16, columns = 16, taps = 3, channels = 4;
  auto kernel = std::make_shared<Kernel>();
  Builder b(*kernel);
  const int a = b.buffer("a", f32, (rows + taps) * channels, Access::in);
  const int x = b.buffer("b", f32, taps * channels * columns, Access::in);
  const int c = b.buffer("c", f32, rows * columns, Access::out);
  Contract tile = product(rows, columns, taps, a, x);
  tile.a = {a, Index(0), channels, channels};
  tile.around = {{channels, 1, taps * columns}};
  store_tile(b, std::move(tile), f32, c);
  const codegen::Compiled compiled =
      driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v4"), .want_asm_text = true});
  const std::string& text = compiled.asm_text;
  std::map<std::string, int> last;
  int number = 0, least = 100;
  for (std::size_t at = 0; (at = text.find("vfmadd231ps", at)) != std::string::npos; ++at, ++number) {
    const std::string line = text.substr(at, text.find('\n', at) - at), sum = line.substr(line.rfind('%'));
    if (const auto before = last.find(sum); before != last.end()) least = std::min(least, number - before->second);
    last[sum] = number;
  }
  CHECK(number >= rows * taps);
  CHECK(least >= 5);
}

TEST_CASE("up to half a vector of columns behind whole ones is half a vector") {
  const auto halves = [](std::int64_t columns, bool slides) {
    constexpr std::int64_t rows = 4, depth = 3;
    auto kernel = std::make_shared<Kernel>();
    Builder b(*kernel);
    const int a = b.buffer("a", f32, rows * depth, Access::in), x = b.buffer("b", f32, depth * columns, Access::in);
    const int c = b.buffer("c", f32, rows * columns, Access::out);
    Contract tile = product(rows, columns, depth, a, x);
    if (slides) tile.a.stride_row = 1;
    store_tile(b, std::move(tile), f32, c);
    const codegen::Compiled compiled =
        driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v4"), .want_asm_text = true});
    int count = 0;
    for (std::size_t at = 0; (at = compiled.asm_text.find("vfmadd", at)) != std::string::npos; ++at) {
      const std::size_t end = compiled.asm_text.find('\n', at);
      if (compiled.asm_text.substr(at, end - at).find("%ymm") != std::string::npos) ++count;
    }
    return count;
  };
  for (const bool slides : {false, true}) {
    CHECK(halves(17, slides) == 12);
    CHECK(halves(24, slides) == 12);
    CHECK(halves(40, slides) == 12);
    CHECK(halves(25, slides) == 0);
    CHECK(halves(32, slides) == 0);
  }
}

TEST_CASE("16-bit inputs, 32-bit sums") {
  for (DType input : {f16, bf16})
    for (std::int64_t columns : {1, 7, 16, 40}) check_tile({5, columns, 11}, input, f32);
}

TEST_CASE("one operand of 16 bits; a copy of B that is converted") {
  for (DType input : {f16, bf16})
    for (std::int64_t columns : {1, 5, 16, 21, 48})
      for (const bool is_b : {false, true})
        test::check_plain([&](Kernel& k) {
          constexpr std::int64_t rows = 3, depth = 9, pitch = 50;
          Builder b(k);
          const int a = b.buffer("a", is_b ? f32 : input, rows * depth, Access::in);
          const int x = b.buffer("b", is_b ? input : f32, depth * columns, Access::in);
          const int copy = b.buffer("copy", f32, depth * pitch, Access::inout);
          const int c = b.buffer("c", f32, rows * columns, Access::out);
          Contract tile = product(rows, columns, depth, a, x);
          tile.copy = {copy, Index(0), pitch};
          store_tile(b, std::move(tile), f32, c);
        });
}

TEST_CASE("pairs of bf16") {
  // Whole numbers, whose sums are exact: an instruction for it may round in another place.
  const test::Fill pairs = [](std::size_t position, const kernel::Buffer& buffer) {
    if (buffer.dtype != u32) return test::plain_numbers(buffer.dtype, buffer.elements, 1);
    std::vector<std::uint32_t> two(static_cast<std::size_t>(buffer.elements));
    for (std::size_t i = 0; i < two.size(); ++i) {
      const auto number = [&](std::size_t seed) { return static_cast<float>((seed * 2654435761U >> 20) % 17) - 8; };
      const auto upper = std::bit_cast<std::uint32_t>(number(2 * i + position)),
                 lower = std::bit_cast<std::uint32_t>(number(2 * i + 1 + 77 * position));
      two[i] = upper | lower >> 16;
    }
    return test::bytes_of(two);
  };
  for (std::int64_t columns : {1, 2, 3, 4, 7, 8, 16, 21, 48})
    for (std::int64_t depth : {0, 1, 6, 13})
      for (const bool more : {false, true})
        test::check_kernel(
            [&](Kernel& k) {
              constexpr std::int64_t rows = 5;
              Builder b(k);
              const int a = b.buffer("a", u32, rows * depth, Access::in),
                        x = b.buffer("b", u32, depth * columns, Access::in);
              const int c = b.buffer("c", f32, rows * columns, Access::inout);
              Contract tile = product(rows, columns, depth, a, x);
              if (more) tile.start = {c, Index(0), columns};
              store_tile(b, std::move(tile), f32, c);
            },
            pairs);
}

TEST_CASE("an epilogue reads, computes, and updates several buffers in place") {
  for (const int steps : {1, 40})  // the longer one is a loop in the code
    test::check_plain([&](Kernel& k) {
      Builder b(k);
      const std::int64_t m = 6, n = 37, depth = 10;
      const int a = b.buffer("a", f32, m * depth, Access::in), x = b.buffer("b", f32, depth * n, Access::in);
      const int bias = b.buffer("bias", f32, n, Access::in), scale = b.buffer("scale", f32, m, Access::in);
      const int p = b.buffer("p", f32, m * n, Access::inout), q = b.buffer("q", boolean, m * n, Access::out);
      Contract tile;
      tile.rows = m;
      tile.columns = n;
      tile.depth = depth;
      tile.a = {a, Index(0), depth, 1};
      tile.b = {x, Index(0), n};
      b.contract(std::move(tile), f32, [&](const Index& i, const Index& j, Value* value) {
        Value* y = b.max(b.fma(value, b.load(scale, i), b.load(bias, j)), b.constant(f32, 0));
        for (int s = 0; s < steps; ++s) y = b.add(b.mul(y, b.constant(f32, 0.75)), b.constant(f32, s));
        b.store(p, i * n + j, b.sub(b.load(p, i * n + j), y));
        b.store(q, i * n + j, b.gt(value, b.constant(f32, 0)));
      });
    });
}

TEST_CASE("blocks of a sum in one loop: the first starts at zero, the last ends otherwise") {
  enum class End { short_one, long_one, transposed };
  for (const End end : {End::short_one, End::long_one, End::transposed})
    test::check_plain([&](Kernel& k) {
      constexpr std::int64_t m = 5, n = 21, depth = 70, blocks = 3;
      Builder b(k);
      const int a = b.buffer("a", f32, m * depth * blocks, Access::in);
      const int x = b.buffer("b", f32, depth * blocks * n, Access::in);
      const int sums = b.buffer("sums", f32, 64 * n, Access::scratch);  // large enough to be fetched
      const int c = b.buffer("c", f32, m * n, Access::out);
      b.serial_loop("kb", blocks, [&](const Index& block) {
        Value* number = b.index_value(block);
        Value *continues = b.lt(b.integer(i64, 0), number), *goes_on = b.lt(number, b.integer(i64, blocks - 1));
        Contract tile = product(m, n, depth, a, x);
        tile.a = {a, block * depth, depth * blocks, 1};
        tile.b.base = block * (depth * n);
        tile.start = {sums, Index(0), n, continues};
        b.contract(std::move(tile), f32, [&](const Index& i, const Index& j, Value* value) {
          b.if_then_else(
              goes_on, [&] { b.store(sums, i * n + j, value); },
              [&] {
                Value* y = value;
                for (int s = 0; s < (end == End::long_one ? 40 : 1); ++s) y = b.mul(y, b.constant(f32, 0.75));
                b.store(c, end == End::transposed ? j * m + i : i * n + j, y);
              });
        });
      });
    });
}

TEST_CASE("tiles within loops, packed by the kernel") {
  test::check_plain([&](Kernel& k) {
    Builder b(k);
    const std::int64_t m = 12, n = 48, depth = 21, rows = 4;
    const int a = b.buffer("a", f32, m * depth, Access::in), x = b.buffer("b", f32, depth * n, Access::in);
    const int c = b.buffer("c", f32, m * n, Access::out);
    const int packed = b.buffer("packed", f32, depth * n, Access::scratch);
    b.parallel_loop("block", m / rows, [&](const Index& block) {
      b.serial_loop("k", depth, [&](const Index& d) {
        b.vector_loop("j", n, 16, 1, [&](const Index& j) { b.store(packed, d * n + j, b.load(x, d * n + j)); });
      });
      b.serial_loop("panel", 3, [&](const Index& panel) {
        Contract tile;
        tile.rows = rows;
        tile.columns = 16;
        tile.depth = depth;
        tile.a = {a, block * (rows * depth), depth, 1};
        tile.b = {packed, panel * 16, n};
        b.contract(std::move(tile), f32, [&](const Index& i, const Index& j, Value* value) {
          b.store(c, (block * rows + i) * n + panel * 16 + j, value);
        });
      });
    });
  });
}

TEST_CASE("products out of bounds are left out and not read") {
  // One image row of 9 pixels, 3 channels, 7 outputs: taps 2 apart reach out at both ends; rows are all pixels.
  test::check_plain([](Kernel& k) {
    Builder b(k);
    const std::int64_t pixels = 9, channels = 3, taps = 3, outputs = 7, dilation = 2;
    const int x = b.buffer("x", f32, pixels * channels, Access::in);
    const int w = b.buffer("w", f32, channels * taps * outputs, Access::in);
    const int y = b.buffer("y", f32, pixels * outputs, Access::out);
    Contract tile;
    tile.rows = pixels;
    tile.columns = outputs;
    tile.depth = taps;
    tile.around = {{channels, 1, taps * outputs}};
    tile.a = {x, Index(-dilation * channels), channels, dilation * channels};
    tile.b = {w, Index(0), outputs};
    tile.bounds = {{Index(-dilation), pixels, 1, {0, dilation}}};
    b.contract(std::move(tile), f32,
               [&](const Index& i, const Index& j, Value* value) { b.store(y, i * outputs + j, value); });
  });
  // A long loop over pixels, of which rows, neighbouring taps, leave out the first and the last ones; with strides, and
  // so many taps that none meets all pixels.
  for (const std::int64_t taps : {3, 5, 13})
    for (const std::int64_t step : {1, 2})
      test::check_plain([&](Kernel& k) {
        Builder b(k);
        const std::int64_t pixels = 11, size = step * pixels, columns = 20, lines = 2;
        const int x = b.buffer("x", f32, lines * size * columns, Access::in);
        const int g = b.buffer("g", f32, lines * pixels * columns, Access::in);
        const int y = b.buffer("y", f32, taps * columns, Access::out);
        Contract tile;
        tile.rows = taps;
        tile.columns = columns;
        tile.depth = pixels;
        tile.around = {{lines, size * columns, pixels * columns}};
        tile.a = {x, Index(-(taps / 2) * columns), columns, step * columns, 1};
        tile.b = {g, Index(0), columns};
        tile.bounds = {{Index(-(taps / 2)), size, 1, {0, step}}};
        b.contract(std::move(tile), f32,
                   [&](const Index& i, const Index& j, Value* value) { b.store(y, i * columns + j, value); });
      });
  // The same with the taps of several lines as rows, in runs: steps that share pixels are together in the code.
  for (const std::int64_t taps : {2, 3, 5})
    for (const std::int64_t step : {1, 2})
      for (const std::int64_t columns : {16, 20})
        test::check_plain([&](Kernel& k) {
          Builder b(k);
          const std::int64_t pixels = 23, size = step * pixels, lines = 4;
          const int x = b.buffer("x", f32, (lines + taps) * size * columns, Access::in);
          const int g = b.buffer("g", f32, lines * pixels * columns, Access::in);
          const int y = b.buffer("y", f32, taps * taps * columns, Access::out);
          Contract tile;
          tile.rows = taps * taps;
          tile.columns = columns;
          tile.depth = pixels;
          tile.around = {{lines, size * columns, pixels * columns}};
          tile.a = {x, Index(-(taps / 2) * columns), columns, step * columns, 1, taps, size * columns};
          tile.b = {g, Index(0), columns};
          tile.bounds = {{Index(-(taps / 2)), size, 1, {0, step}}};
          b.contract(std::move(tile), f32,
                     [&](const Index& i, const Index& j, Value* value) { b.store(y, i * columns + j, value); });
        });
  // Each of `images` starts elsewhere, so that a loop over some of 5 taps is cut at its beginning, its end or wholly.
  for (const std::int64_t step : {1, 2})
    test::check_plain([&](Kernel& k) {
      Builder b(k);
      const std::int64_t images = 12, size = 6, taps = 5, columns = 20;
      const int x = b.buffer("x", f64, size, Access::in), w = b.buffer("w", f64, 2 * taps * columns, Access::in);
      const int y = b.buffer("y", f64, images * columns, Access::out);
      b.serial_loop("i", images, [&](const Index& i) {
        Contract tile;
        tile.rows = 1;
        tile.columns = columns;
        tile.depth = 2;
        tile.around = {{taps, step, columns}};
        tile.a = {x, i + Index(-5), 0, 0};
        tile.b = {w, Index(0), taps * columns};
        tile.bounds = {{i + Index(-5), size, 0, {step, 0}}};
        b.contract(std::move(tile), f64,
                   [&](const Index&, const Index& j, Value* value) { b.store(y, i * columns + j, value); });
      });
    });
}

TEST_CASE("passes of LLVM that contractions do without are left out") {
  const auto compiled = [](bool contracts) {
    auto kernel = std::make_shared<Kernel>();
    Builder b(*kernel);
    const int a = b.buffer("a", f32, 3 * 20, Access::in), x = b.buffer("b", f32, 20 * 16, Access::in);
    const int c = b.buffer("c", f32, 3 * 16, Access::out);
    if (contracts) {
      Contract tile;
      tile.rows = 3, tile.columns = 16, tile.depth = 20;
      tile.a = {a, Index(0), 20, 1};
      tile.b = {x, Index(0), 16};
      b.contract(std::move(tile), f32,
                 [&](const Index& i, const Index& j, Value* value) { b.store(c, i * 16 + j, value); });
    } else {
      b.serial_loop("i", 48, [&](const Index& i) { b.store(c, i, b.load(a, i)); });
    }
    return driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v3")});
  };
  // LLVM calls its passes and functions by names that nothing but these numbers checks.
  const codegen::SkippedPasses with = compiled(true).skipped, without = compiled(false).skipped;
  CHECK(with.strength_reduction > 0);
  CHECK(with.scheduling == 1);
  CHECK(without.strength_reduction > 0);
  CHECK(without.scheduling == 0);
}
