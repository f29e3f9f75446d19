// Building, printing, hashing and verifying kernels.
#include <catch2/catch.hpp>

#include <functional>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/kernel/verify.h"
#include "compiler/ops/math/math.h"

using namespace pullback;
using namespace pullback::kernel;

namespace {

/// y[i] = max(x[i], 0) and sum = sum(x*x), in one vector loop.
void build_relu_and_norm(Kernel& kernel, const std::string& name, const std::string& variable) {
  kernel.name = name;
  Builder b(kernel, &ops::math_functions());
  const int x = b.buffer("x", f32, 100, Access::in), y = b.buffer("y", f32, 100, Access::out);
  const int sum = b.buffer("sum", f32, 1, Access::out);
  const auto results = b.loop(variable, 100, {LoopKind::vector, 8, 2}, {{b.constant(f32, 0), Combine::add}},
                              [&](const Index& i, const auto& s) {
                                Value* v = b.load(x, i);
                                b.store(y, i, b.max(v, b.constant(f32, 0)));
                                return std::vector<Value*>{b.fma(v, b.load(x, i), s[0])};
                              });
  b.store(sum, 0, results[0]);
}

}  // namespace

TEST_CASE("kernels print") {
  Kernel kernel;
  build_relu_and_norm(kernel, "relu_and_norm", "i");
  verify(kernel, "test");
  CHECK(print(kernel) == R"(kernel @relu_and_norm(x: f32[100] in, y: f32[100] out, sum: f32[1] out) {
  vector i in 0..100 width 8 x 2 carry (%0: f32 = 0:f32 add) {
    %1: f32 = load x[i]
    %2: f32 = max %1, 0:f32
    store y[i] = %2
    %3: f32 = fma %1, %1, %0
    yield %3
  } -> %4
  store sum[0] = %4
}
)");
}

TEST_CASE("contracts, branches and predicated accesses print") {
  Kernel kernel;
  kernel.name = "tile";
  Builder b(kernel);
  const int a = b.buffer("a", f32, 64, Access::in), w = b.buffer("w", f32, 128, Access::in);
  const int c = b.buffer("c", f32, 64, Access::inout);
  b.serial_loop("block", 2, [&](const Index& block) {
    Contract tile;
    tile.rows = 2, tile.columns = 16, tile.depth = 8;
    tile.a = {a, block * 32, 16, 1};
    tile.b = {w, 0, 16};
    tile.start = {c, block * 32, 16};
    b.contract(std::move(tile), f32, [&](const Index& row, const Index& column, Value* sum) {
      b.store(c, block * 32 + row * 16 + column, b.max(sum, b.constant(f32, 0)));
    });
    b.if_then(b.lt(b.index_value(block), b.integer(i64, 1)), [&] {
      Value* guarded = b.load_if(b.gt(b.index_value(block), b.integer(i64, 0)), a, block * 64, b.constant(f32, -0.0));
      b.store_if(b.is_nan(guarded), c, block, guarded);
    });
  });
  verify(kernel, "test");
  CHECK(print(kernel) == R"(kernel @tile(a: f32[64] in, w: f32[128] in, c: f32[64] inout) {
  serial block in 0..2 {
    contract 2x16 depth 8: a = a[32*block] row 16 depth 1, b = w[0] depth 16, start = c[32*block] row 16)"
                         R"( -> (row, column, %0: f32) {
      %1: f32 = max %0, 0:f32
      store c[32*block + 16*row + column] = %1
    }
    %2: i64 = index block
    %3: bool = lt %2, 1:i64
    if %3 {
      %4: bool = gt %2, 0:i64
      %5: f32 = load a[64*block] if %4 else -0:f32
      %6: bool = ne %5, %5
      store c[block] = %5 if %6
    }
  }
}
)");
}

TEST_CASE("buffers of one name print apart") {
  Kernel kernel;
  Builder b(kernel);
  for (const char* name : {"x", "x", "x.1", "x"}) b.buffer(name, f32, 4, Access::in);
  b.load(3, 0);
  CHECK(print(kernel) == R"(kernel @(x: f32[4] in, x.1: f32[4] in, x.1.1: f32[4] in, x.2: f32[4] in) {
  %0: f32 = load x.2[0]
}
)");
}

TEST_CASE("equal values are made once, where that is right") {
  Kernel kernel;
  Builder b(kernel);
  const int x = b.buffer("x", f32, 4, Access::in), y = b.buffer("y", f32, 4, Access::inout);
  Value* before = b.load(x, 0);
  CHECK(b.load(x, 0) == before);
  CHECK(b.add(before, before) == b.add(before, before));
  CHECK(b.constant(f32, 0.0) != b.constant(f32, -0.0));
  Value* first = b.load(y, 0);
  CHECK(b.load(y, 0) == first);
  b.store(y, 0, before);
  CHECK(b.load(y, 0) != first);
  b.serial_loop("i", 3, [&](const Index& i) {
    CHECK(b.load(x, 0) == before);
    Value* outside = b.load(y, 0);
    b.store(y, i, b.add(outside, before));
    CHECK(b.load(y, 0) != outside);
    CHECK(b.mul(before, b.constant(f32, 1)) == before);
    CHECK(b.add(before, b.constant(f32, 0)) != before);  // -0 + 0 is 0
  });
  Value* inner = nullptr;
  b.if_then(b.lt(before, first), [&] { inner = b.sub(before, first); });
  CHECK(b.sub(before, first) != inner);  // inner is not visible here
  verify(kernel, "test");
}

TEST_CASE("arithmetic on half precision is done in f32") {
  Kernel kernel;
  Builder b(kernel, &ops::math_functions());
  const int x = b.buffer("x", bf16, 4, Access::in), y = b.buffer("y", bf16, 4, Access::out);
  b.serial_loop("i", 4, [&](const Index& i) { b.store(y, i, b.call("exp", b.add(b.load(x, i), b.load(x, i)))); });
  verify(kernel, "test");
  CHECK(print(kernel) == R"(kernel @(x: bf16[4] in, y: bf16[4] out) {
  serial i in 0..4 {
    %0: bf16 = load x[i]
    %1: f32 = convert %0
    %2: f32 = add %1, %1
    %3: bf16 = convert %2
    %4: f32 = convert %3
    %5: f32 = call @exp.f32(%4)
    %6: bf16 = convert %5
    store y[i] = %6
  }
}
)");
}

TEST_CASE("kernels are hashed by what they do") {
  Kernel a, b, other;
  build_relu_and_norm(a, "first", "i");
  build_relu_and_norm(b, "second", "j");
  other.name = "first";
  Builder builder(other);
  builder.buffer("x", f32, 100, Access::in);
  CHECK(canonical_text(a) == canonical_text(b));
  CHECK(hash(a) == hash(b));
  CHECK(hash(a) != hash(other));
}

TEST_CASE("parameters and scratch memory have their places") {
  Kernel kernel;
  Builder b(kernel);
  b.buffer("x", f32, 5, Access::in);
  const int first = b.buffer("tile", f32, 17, Access::scratch);
  const int y = b.buffer("y", f32, 5, Access::out);
  const int second = b.buffer("sums", f64, 3, Access::scratch);
  CHECK(kernel.parameter_index(y) == 1);
  CHECK(kernel.scratch_offset(first) == 0);
  CHECK(kernel.scratch_offset(second) == 128);
  CHECK(kernel.scratch_bytes() == 192);
  CHECK(kernel.parallel_loop() == nullptr);
}

namespace {

template <class Write>
void check_broken(const Write& write, const std::string& message) {
  Kernel kernel;
  kernel.name = "broken";
  Builder b(kernel);
  b.buffer("x", f32, 8, Access::in);
  b.buffer("y", f32, 8, Access::out);
  write(b, kernel);
  CHECK_THROWS_WITH(verify(kernel, "test"), Catch::Contains("test: kernel broken: " + message));
}

}  // namespace

TEST_CASE("broken kernels are refused") {
  check_broken([](Builder& b, Kernel&) { b.add(b.load(0, 0), b.integer(i32, 1)); }, "add of f32 has an operand of i32");
  check_broken([](Builder& b, Kernel&) { b.load(0, 8); }, "x[8] is outside its 8 elements");
  check_broken([](Builder& b, Kernel&) { b.serial_loop("i", 9, [&](const Index& i) { b.load(0, i); }); },
               "x[i] reaches 0..8 of 8 elements");
  check_broken([](Builder& b, Kernel&) { b.load(1, 0); }, "y is written only, but is read");
  check_broken([](Builder& b, Kernel&) { b.store(0, 0, b.constant(f32, 1)); }, "x is read only, but is written");
  check_broken([](Builder& b, Kernel&) { b.store(1, 0, b.constant(f64, 1)); }, "the value stored to y is f64, not f32");
  check_broken(
      [](Builder& b, Kernel&) {
        Value* inner = nullptr;
        b.serial_loop("i", 2, [&](const Index& i) { inner = b.load(0, i); });
        b.store(1, 0, inner);
      },
      "the value stored to y is used before its definition");
  check_broken(
      [](Builder& b, Kernel&) {
        Index leaked;
        b.serial_loop("i", 2, [&](const Index& i) { leaked = i; });
        b.load(0, leaked);
      },
      "the variable i is used outside its loop");
  check_broken(
      [](Builder& b, Kernel&) {
        b.parallel_loop("i", 2, [&](const Index&) {});
        b.load(0, 0);
      },
      "loop i is parallel but not the kernel's whole body");
  check_broken(
      [](Builder& b, Kernel&) {
        b.vector_loop("i", 2, 4, 1, [&](const Index&) { b.vector_loop("j", 2, 4, 1, [](const Index&) {}); });
      },
      "vector loop j within a vector loop");
  check_broken(
      [](Builder& b, Kernel&) {
        b.loop("i", 2, {LoopKind::vector, 4, 1}, {{b.constant(f32, 0)}}, [](const Index&, const auto& s) { return s; });
      },
      "vector loop i carries a value that is not combined");
  check_broken([](Builder& b, Kernel&) { b.vector_loop("i", 2, 3, 1, [](const Index&) {}); },
               "loop i has width 3 x 1: no powers of two");
  check_broken([](Builder& b, Kernel&) { b.fma(b.integer(i32, 1), b.integer(i32, 1), b.integer(i32, 1)); },
               "fma is not defined on i32");
}

TEST_CASE("a tile fetches some of what it may read") {
  const auto check_fetch = [](Contract::Fetch fetch, const std::string& message) {
    check_broken(
        [&](Builder& b, Kernel&) {
          Contract tile;
          tile.rows = 1, tile.columns = 4, tile.depth = 2;
          tile.a = {0, 0, 0, 1};
          tile.b = {0, 0, 4};
          tile.fetches.push_back(fetch);
          b.contract(std::move(tile), f32, [](const Index&, const Index&, Value*) {});
        },
        message);
  };
  check_fetch({0, Index(100), 0}, "a contract fetches 0 elements in each step");
  check_fetch({1, Index(0), 4}, "y is written only, but is read");
}

TEST_CASE("copies of B that would disturb the tile or leave their buffer are refused") {
  // B is x, 2x4; the copy goes to y unless told otherwise.
  const auto check_copy = [](const std::function<void(Contract&, int spare)>& change, const std::string& message) {
    check_broken(
        [&](Builder& b, Kernel&) {
          const int spare = b.buffer("spare", f32, 8, Access::inout);
          Contract tile;
          tile.rows = 1, tile.columns = 4, tile.depth = 2;
          tile.a = {0, 0, 0, 1};
          tile.b = {0, 0, 4};
          tile.copy = {1, 0, 4};
          change(tile, spare);
          b.contract(std::move(tile), f32, [](const Index&, const Index&, Value*) {});
        },
        message);
  };
  const std::string reads = "a contract copies its b to spare, which it reads";
  check_copy([](Contract& c, int spare) { c.copy.buffer = c.a.buffer = spare; }, reads);
  check_copy([](Contract& c, int spare) { c.copy.buffer = c.b.buffer = spare; }, reads);
  check_copy([](Contract& c, int spare) { c.copy.buffer = c.start.buffer = spare; }, reads);
  check_copy([](Contract& c, int) { c.copy.base = 1; }, "y[8] is outside its 8 elements");
  check_copy([](Contract& c, int) { c.copy.stride_depth = -4; }, "y[-4] is outside its 8 elements");
  check_copy([](Contract& c, int) { c.copy.base = 4, c.copy.stride_depth = -6; }, "y[-2] is outside its 8 elements");
}

TEST_CASE("unknown functions and wrong numbers of yielded values are refused while building") {
  Kernel kernel;
  Builder b(kernel, &ops::math_functions());
  CHECK_THROWS_WITH(b.call("gamma", b.constant(f32, 1)), Catch::Contains("no function gamma over f32"));
  CHECK_THROWS_WITH(
      b.loop("i", 2, {}, {{b.constant(f32, 0)}}, [](const Index&, const auto&) { return std::vector<Value*>{}; }),
      Catch::Contains("loop i carries 1 values but yields 0"));
}
