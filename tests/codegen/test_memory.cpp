// How lanes move through memory: uniform, contiguous, strided, backwards, irregular; predicates; tables; indices.
#include <catch2/catch.hpp>

#include <cstring>
#include <memory>
#include <numeric>
#include <string>

#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/builder.h"
#include "tests/codegen/harness.h"

using namespace pullback;
using kernel::Access;
using kernel::Builder;
using kernel::Index;
using kernel::Kernel;
using kernel::Value;

TEST_CASE("loads and stores with strides") {
  for (DType dtype : {boolean, u8, bf16, f32, f64})
    for (std::int64_t n : {1, 7, 16, 33})
      test::check_plain([&](Kernel& k) {
        Builder b(k);
        const int x = b.buffer("x", dtype, 3 * n + 1, Access::in), y = b.buffer("y", dtype, 2 * n, Access::out);
        b.vector_loop("i", n, 16, 1, [&](const Index& i) {
          b.store(y, i * 2, b.load(x, i * 3 + 1));
          b.store(y, (Index(n - 1) - i) * 2 + 1, b.load(x, Index(n) - i));
        });
      });
}

TEST_CASE("indices with quotients and remainders") {
  for (std::int64_t inner : {3, 8, 16, 64})
    test::check_plain([&](Kernel& k) {
      Builder b(k);
      const std::int64_t rows = 5, n = rows * inner;
      const int x = b.buffer("x", f32, n, Access::in), y = b.buffer("y", f32, n, Access::out);
      const int z = b.buffer("z", i64, n, Access::out);
      b.vector_loop("i", n, 8, 1, [&](const Index& i) {
        const Index row = floordiv(i, inner), column = mod(i, inner);
        b.store(y, i, b.load(x, column * rows + row));
        b.store(z, i, b.index_value(floordiv(i - 7, inner) * 3 + mod(i - 7, inner)));
      });
    });
}

TEST_CASE("lanes that read elements near each other") {
  for (DType dtype : {boolean, u8, bf16, i32, f32, f64})
    for (std::int64_t n : {2, 7, 16, 33}) {
      const auto build = [&](Kernel& k) {
        Builder b(k);
        const int x = b.buffer("x", dtype, 2 * n, Access::in), c = b.buffer("c", boolean, n, Access::in);
        const int y = b.buffer("y", dtype, 9 * n, Access::out);
        b.vector_loop("i", n, 8, 1, [&](const Index& i) {
          b.store(y, i + 8 * n, b.load(x, mod(i, 2) + mod(i + 1, 2)));  // always the same one
          Value* fallback = b.load(x, 1);
          Value* number = b.index_value(i);
          Value* even = b.eq(b.index_value(mod(i, 2)), b.integer(i64, 0));
          b.store(y, i, b.load(x, floordiv(i, 2)));
          b.store(y, i + n, b.load(x, 2 * i + 1));
          b.store(y, i + 2 * n, b.load(x, Index(2 * n - 1) - 2 * i));
          b.store(y, i + 3 * n, b.load(x, floordiv(i + 1, 3) + mod(i, 2)));
          // What no lane reads lies outside, before and behind.
          Value* later = b.ge(number, b.integer(i64, 2));
          b.store(y, i + 4 * n, b.load_if(later, x, floordiv(i, 2) - 1, fallback));
          Value* earlier = b.lt(number, b.integer(i64, n / 2));
          b.store(y, i + 5 * n, b.load_if(b.bit_and(earlier, even), x, 4 * floordiv(i, 2) + mod(i, 2), fallback));
          b.store(y, i + 6 * n, b.load_if(b.load(c, i), x, floordiv(i, 2), fallback));
          b.store(y, i + 7 * n, b.load_if(b.load(c, 0), x, 2 * i, fallback));
        });
      };
      test::check_plain(build);
    }
}

TEST_CASE("gathers and scatters by values") {
  for (DType dtype : {u8, f16, i32, f32, f64})
    for (std::int64_t n : {1, 9, 16, 50}) {
      const auto build = [&](Kernel& k) {
        Builder b(k);
        const int at = b.buffer("at", i64, n, Access::in), x = b.buffer("x", dtype, n * 3, Access::in);
        const int y = b.buffer("y", dtype, n, Access::out), z = b.buffer("z", dtype, n, Access::out);
        b.vector_loop("i", n, 16, 1, [&](const Index& i) {
          const Index where = Index::dynamic(b.load(at, i), {0, n - 1});
          b.store(y, i, b.load(x, where * 3 + 1));
          b.store(z, where, b.load(x, i));
        });
      };
      test::check_kernel(build, [&](std::size_t i, const kernel::Buffer& buffer) {
        if (i != 0) return test::plain_numbers(buffer.dtype, buffer.elements, 3);
        std::vector<std::int64_t> permutation(static_cast<std::size_t>(n));
        for (std::int64_t j = 0; j < n; ++j) permutation[static_cast<std::size_t>(j)] = (j * 7 + 3) % n;
        if (n % 7 == 0) std::iota(permutation.begin(), permutation.end(), 0);
        return test::bytes_of(permutation);
      });
    }
}

TEST_CASE("predicated loads touch nothing where the predicate is false") {
  // The buffers stand between guards, not at the end of a page; addresses far outside would be fatal.
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  for (std::int64_t n : {1, 13, 16, 37})
    test::check_plain([&](Kernel& k) {
      Builder b(k);
      const int x = b.buffer("x", f32, n, Access::in), c = b.buffer("c", boolean, n, Access::in);
      const int y = b.buffer("y", f32, 4 * n, Access::out);
      b.vector_loop("i", n, 8, 1, [&](const Index& i) {
        Value* choice = b.load(c, i);
        Value* fallback = b.constant(f32, -1);
        Value* shift = b.select(choice, b.integer(i64, 0), b.integer(i64, kFar));
        b.store(y, i, b.load_if(choice, x, i, fallback));
        b.store(y, i + n, b.load_if(choice, x, Index::dynamic(shift), fallback));
        b.store(y, i + 2 * n, b.load_if(b.load(c, 0), x, Index(n - 1) - i, fallback));
        b.store(y, i + 3 * n, b.load_if(b.load(c, 0), x, i, b.load(x, i)));
      });
    });
}

TEST_CASE("padding by predicates on indices") {
  test::check_plain([&](Kernel& k) {
    Builder b(k);
    constexpr std::int64_t kInner = 19, kPadded = 27;
    const int x = b.buffer("x", f32, kInner, Access::in), y = b.buffer("y", f32, kPadded, Access::out);
    b.vector_loop("i", kPadded, 8, 1, [&](const Index& i) {
      Value* at = b.index_value(i - 4);
      Value* inside = b.bit_and(b.ge(at, b.integer(i64, 0)), b.lt(at, b.integer(i64, kInner)));
      b.store(y, i, b.load_if(inside, x, i - 4, b.constant(f32, 0)));
    });
  });
}

TEST_CASE("tables") {
  auto table = std::make_shared<kernel::Table>();
  table->name = "powers";
  table->dtype = f64;
  for (int i = 0; i < 16; ++i) {
    const double value = 1.0 / (i + 1);
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    table->bits.push_back(bits);
  }
  test::check_plain([&](Kernel& k) {
    Builder b(k);
    const int x = b.buffer("x", i32, 45, Access::in), y = b.buffer("y", f64, 45, Access::out);
    b.vector_loop("i", 45, 8, 1,
                  [&](const Index& i) { b.store(y, i, b.lookup(table, b.bit_and(b.load(x, i), b.integer(i32, 15)))); });
    b.store(y, 0, b.lookup(table, b.bit_and(b.load(x, 3), b.integer(i32, 15))));
  });
}

// A masked store would hold up the load of the next row, which begins at lanes that it leaves out.
TEST_CASE("narrow rows that are updated in place are stored without masks") {
  const auto build = [](std::int64_t columns, bool in_place) {
    return [=](Kernel& k) {
      Builder b(k);
      constexpr std::int64_t kRows = 5;
      const int x = b.buffer("x", f32, kRows * columns, Access::in);
      const int y = b.buffer("y", f32, kRows * columns, in_place ? Access::inout : Access::out);
      b.serial_loop("i", kRows, [&](const Index& i) {
        b.vector_loop("j", columns, 16, 1, [&](const Index& j) {
          Value* value = b.load(x, i * columns + j);
          b.store(y, i * columns + j, in_place ? b.add(b.load(y, i * columns + j), value) : value);
        });
      });
    };
  };
  const auto is_masked = [&](std::int64_t columns, bool in_place) {
    auto kernel = std::make_shared<Kernel>();
    build(columns, in_place)(*kernel);
    const codegen::Compiled compiled = driver::generate_code(
        test::schedule_of(kernel), {.target = Target::parse("x86-64-v4"), .want_llvm_text = true});
    return compiled.llvm_text.find("call void @llvm.masked.store") != std::string::npos;
  };
  for (std::int64_t columns = 1; columns <= 16; ++columns) {
    test::check_plain(build(columns, true));
    CHECK_FALSE(is_masked(columns, true));
  }
  CHECK_FALSE(is_masked(10, false));
  CHECK(is_masked(15, false));
}
