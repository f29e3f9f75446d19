// The order of instructions: chains that wait for nothing of each other run side by side, and memory keeps its order.
#include <catch2/catch.hpp>

#include "compiler/driver/compile.h"
#include "compiler/driver/load_codegen.h"
#include "compiler/ir/kernel/builder.h"
#include "tests/codegen/harness.h"

using namespace pullback;
using kernel::Access;
using kernel::Builder;
using kernel::Index;
using kernel::Kernel;
using kernel::Value;

namespace {

/// `steps` operations, each of which waits for the one before, and a division.
Value* chain(Builder& b, Value* x, int steps) {
  for (int i = 0; i < steps; ++i) x = b.fma(x, b.constant(f32, 0.5), b.constant(f32, i));
  return b.div(b.constant(f32, 1), x);
}

/// z = a chain of x and a chain of y.
void two_chains(Kernel& k, std::int64_t n, int steps) {
  Builder b(k);
  const int x = b.buffer("x", f32, n, Access::in), y = b.buffer("y", f32, n, Access::in);
  const int z = b.buffer("z", f32, n, Access::out);
  b.vector_loop("i", n, 8, 1, [&](const Index& i) {
    Value* first = chain(b, b.load(x, i), steps);
    b.store(z, i, b.sub(first, chain(b, b.load(y, i), steps)));
  });
}

/// How many divisions of the loop stand before the last multiplication.
int divisions_before_last_product(int steps) {
  auto kernel = std::make_shared<Kernel>();
  two_chains(*kernel, 64, steps);
  const std::string text =
      driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v3"), .want_llvm_text = true})
          .llvm_text;
  const std::size_t last = text.rfind("call <8 x float> @llvm.fma");
  REQUIRE(last != std::string::npos);
  int count = 0;
  for (std::size_t at = 0; (at = text.find("fdiv", at)) < last; ++at) ++count;
  return count;
}

}  // namespace

TEST_CASE("long chains stand side by side, short ones as they are written") {
  CHECK(divisions_before_last_product(40) == 0);
  CHECK(divisions_before_last_product(10) == 1);
  for (std::int64_t n : {1, 7, 8, 64, 77}) test::check_hard([&](Kernel& k) { two_chains(k, n, 40); });
}

TEST_CASE("reordered loads and stores of the same elements keep their order") {
  constexpr std::int64_t n = 40;
  test::check_plain([](Kernel& k) {
    Builder b(k);
    const int x = b.buffer("x", f32, n, Access::inout), y = b.buffer("y", f32, n, Access::inout);
    b.vector_loop("i", n, 8, 1, [&](const Index& i) {
      Value* before = b.load(x, i);
      b.store(x, i, chain(b, before, 40));
      b.store(y, i, b.add(before, chain(b, b.load(x, i), 40)));  // what was just stored
      b.store(x, i, b.load(y, i));
    });
  });
  // Neighbouring elements, one after the other: each reads what the one before has stored.
  test::check_plain([](Kernel& k) {
    Builder b(k);
    const int x = b.buffer("x", f32, n + 2, Access::inout);
    b.serial_loop("i", n, [&](const Index& i) {
      b.store(x, i + Index(1), b.add(chain(b, b.load(x, i), 40), b.load(x, i + Index(2))));
      b.store(x, i + Index(2), chain(b, b.load(x, i + Index(1)), 40));
    });
  });
}
