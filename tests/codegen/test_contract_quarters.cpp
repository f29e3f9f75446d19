// Tiles whose last columns are a quarter of a vector that four rows share: the same bits as single sums.
#include <catch2/catch.hpp>

#include <memory>

#include "compiler/codegen/api.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/kernel.h"
#include "compiler/support/target.h"
#include "tests/codegen/harness.h"

namespace pullback {

using kernel::Access;
using kernel::Builder;
using kernel::Contract;
using kernel::Index;
using kernel::Kernel;
using kernel::Value;

namespace {

struct QuarterTile {
  std::int64_t rows, columns, depth;
  DType dtype = f32;
  bool copies = false, starts = false;
};

void write_quarters(Kernel& k, const QuarterTile& t) {
  const DType sum = t.dtype == f64 ? f64 : f32;
  const std::int64_t pitch = 2 * t.columns, line = t.depth + 3;
  Builder b(k);
  const int a = b.buffer("a", t.dtype, t.rows * line, Access::in);
  const int x = b.buffer("b", t.dtype, t.depth * t.columns, Access::in);
  const int c = b.buffer("c", sum, t.rows * t.columns, Access::inout);
  Contract tile;
  tile.rows = t.rows;
  tile.columns = t.columns;
  tile.depth = t.depth;
  tile.a = {a, Index(1), line, 1};
  tile.b = {x, Index(0), t.columns};
  if (t.copies) tile.copy = {b.buffer("copy", t.dtype, t.depth * pitch, Access::inout), Index(0), pitch};
  if (t.starts) tile.start = {c, Index(0), t.columns, nullptr};
  b.contract(std::move(tile), sum,
             [&](const Index& i, const Index& j, Value* value) { b.store(c, i * t.columns + j, value); });
}

}  // namespace

TEST_CASE("rows share vectors for a few last columns") {
  for (const std::int64_t rows : {2, 3, 4, 5, 8, 11, 14})
    for (const std::int64_t depth : {1, 3, 4, 5, 8, 13}) {
      CAPTURE(rows, depth);
      for (const std::int64_t columns : {17, 20})
        test::check_plain([&](Kernel& k) { write_quarters(k, {rows, columns, depth}); });
      test::check_plain([&](Kernel& k) { write_quarters(k, {rows, 33, depth, f32, false, true}); });
      test::check_plain([&](Kernel& k) { write_quarters(k, {rows, 18, depth, f32, true}); });
      test::check_plain([&](Kernel& k) { write_quarters(k, {rows, 10, depth, f64, true, true}); });
      test::check_plain([&](Kernel& k) { write_quarters(k, {rows, 19, depth, bf16}); });
    }
}

TEST_CASE("no row multiplies half a vector for a quarter of one") {
  const auto asm_of = [](const QuarterTile& tile) {
    auto kernel = std::make_shared<Kernel>();
    write_quarters(*kernel, tile);
    return driver::generate_code(test::schedule_of(kernel),
                                 {.target = Target::parse("x86-64-v4"), .want_asm_text = true})
        .asm_text;
  };
  const std::string halves = "{1to8}";
  CHECK(asm_of({8, 17, 64}).find(halves) == std::string::npos);
  CHECK(asm_of({8, 20, 64}).find(halves) == std::string::npos);
  CHECK(asm_of({8, 21, 64}).find(halves) != std::string::npos);
}

}  // namespace pullback
