// Reductions side by side become one loop, and only those that may.
#include <catch2/catch.hpp>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/merge_reductions.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/kernel/verify.h"

using namespace pullback;
using namespace pullback::kernel;

namespace {

/// Writes reductions of rows of x: of 40 numbers each.
struct Rows {
  Kernel kernel;
  Builder b{kernel};
  const int x = b.buffer("x", f32, 400, Access::in), w = b.buffer("w", f32, 40, Access::in);
  const int y = b.buffer("y", f32, 10, Access::out);

  Rows() { kernel.name = "rows"; }

  /// The sum of x[row] * w, from `init`.
  Value* dot(std::int64_t row, Value* init, std::int64_t extent = 40) {
    return b.loop("k", extent, {LoopKind::vector, 8, 1}, {{init, Combine::add}},
                  [&](const Index& k, const std::vector<Value*>& sum) {
                    Value* of_row = b.load(x, k + Index(row * 40));
                    return std::vector<Value*>{b.fma(of_row, b.load(w, k), sum[0])};
                  })[0];
  }
  Value* zero() { return b.constant(f32, 0); }

  /// What is left of the vector loops.
  std::size_t loops_after(int most_vectors) {
    merge_reductions(kernel, most_vectors);
    verify(kernel, "test");
    const std::string text = print(kernel);
    std::size_t count = 0;
    for (std::size_t at = text.find("vector "); at != std::string::npos; at = text.find("vector ", at + 1)) ++count;
    return count;
  }
};

}  // namespace

TEST_CASE("reductions of the same range share a loop and what they read") {
  Rows rows;
  Value* first = rows.dot(0, rows.zero());
  Value* start = rows.b.load(rows.x, 399);  // needed by the second loop: it moves before both
  Value* second = rows.dot(1, start);
  rows.b.store(rows.y, 0, first);
  rows.b.store(rows.y, 1, second);
  CHECK(rows.loops_after(8) == 1);
  CHECK(print(rows.kernel) == R"(kernel @rows(x: f32[400] in, w: f32[40] in, y: f32[10] out) {
  %0: f32 = load x[399]
  vector k in 0..40 width 8 x 1 carry (%1: f32 = 0:f32 add, %2: f32 = %0 add) {
    %3: f32 = load x[k]
    %4: f32 = load w[k]
    %5: f32 = fma %3, %4, %1
    %6: f32 = load x[k + 40]
    %7: f32 = fma %6, %4, %2
    yield %5, %7
  } -> %8, %9
  store y[0] = %8
  store y[1] = %9
}
)");
}

TEST_CASE("reductions stay apart where one needs the other, memory changes between them, or they differ") {
  SECTION("it starts from the other's result") {
    Rows rows;
    rows.b.store(rows.y, 0, rows.dot(1, rows.dot(0, rows.zero())));
    CHECK(rows.loops_after(8) == 2);
  }
  SECTION("it reads the other's result") {
    Rows rows;
    Value* most = rows.b.neg(rows.dot(0, rows.zero()));
    Value* sum =
        rows.b.loop("k", 40, {LoopKind::vector, 8, 1}, {{rows.zero(), Combine::add}},
                    [&](const Index& k, const std::vector<Value*>& so_far) {
                      return std::vector<Value*>{rows.b.add(so_far[0], rows.b.mul(rows.b.load(rows.x, k), most))};
                    })[0];
    rows.b.store(rows.y, 0, sum);
    CHECK(rows.loops_after(8) == 2);
  }
  SECTION("a store between") {
    Rows rows;
    rows.b.store(rows.y, 0, rows.dot(0, rows.zero()));
    rows.b.store(rows.y, 1, rows.dot(1, rows.zero()));
    CHECK(rows.loops_after(8) == 2);
  }
  SECTION("another range") {
    Rows rows;
    Value *first = rows.dot(0, rows.zero()), *second = rows.dot(1, rows.zero(), 39);
    rows.b.store(rows.y, 0, rows.b.add(first, second));
    CHECK(rows.loops_after(8) == 2);
  }
  SECTION("too many vectors in flight") {
    Rows rows;
    Value* sum = rows.zero();
    std::vector<Value*> all;
    for (int row = 0; row < 5; ++row) all.push_back(rows.dot(row, rows.zero()));
    for (Value* each : all) sum = rows.b.add(sum, each);
    rows.b.store(rows.y, 0, sum);
    CHECK(rows.loops_after(2) == 3);
  }
}

TEST_CASE("of three reductions the third joins the first when only the second must wait") {
  Rows rows;
  Value* first = rows.dot(0, rows.zero());
  Value* second = rows.dot(1, first);
  Value* third = rows.dot(2, rows.zero());
  rows.b.store(rows.y, 0, second);
  rows.b.store(rows.y, 1, third);
  CHECK(rows.loops_after(8) == 2);
}
