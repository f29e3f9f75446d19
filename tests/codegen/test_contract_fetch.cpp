// Which tiles fetch ahead into the caches, and what.
#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>

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

/// How often the assembly of a product fetches into the first and the second level of the cache.
struct Fetches {
  int first = 0, second = 0;
};
Fetches fetches_of(const std::function<void(Kernel&)>& build) {
  auto kernel = std::make_shared<Kernel>();
  build(*kernel);
  const codegen::Compiled compiled =
      driver::generate_code(test::schedule_of(kernel), {.target = Target::parse("x86-64-v3"), .want_asm_text = true});
  const auto count = [&](const char* instruction) {
    int found = 0;
    for (std::size_t at = 0; (at = compiled.asm_text.find(instruction, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  return {count("prefetcht0"), count("prefetcht1")};
}

}  // namespace

TEST_CASE("what an epilogue reads and writes in a large buffer is fetched before a long sum") {
  enum class Epilogue { updates, writes, adds };
  const auto fetches = [](std::int64_t depth, std::int64_t elements, Epilogue how) {
    return fetches_of([&](Kernel& kernel) {
             Builder b(kernel);
             const int a = b.buffer("a", f32, 3 * depth, Access::in), x = b.buffer("b", f32, depth * 16, Access::in);
             const int weight = b.buffer("weight", f32, elements, Access::inout);
             Contract tile = product(3, 16, depth, a, x);
             if (how == Epilogue::adds) tile.start = {weight, Index(0), 100};
             b.contract(std::move(tile), f32, [&](const Index& i, const Index& j, Value* value) {
               if (how == Epilogue::updates) value = b.sub(b.load(weight, i * 100 + j), value);
               b.store(weight, i * 100 + j, value);
             });
           })
        .first;
  };
  constexpr int kLines = 3;  // one in each row
  for (const Epilogue how : {Epilogue::updates, Epilogue::writes}) {
    CHECK(fetches(64, 1 << 16, how) == kLines);
    CHECK(fetches(63, 1 << 16, how) == 0);
    CHECK(fetches(64, 1 << 12, how) == kLines);
    CHECK(fetches(64, 1 << 11, how) == 0);
  }
  CHECK(fetches(64, 1 << 16, Epilogue::adds) == 0);  // the sums' start was read
}

TEST_CASE("short rows of A that lie apart are fetched for the tile below") {
  const auto fetches = [](std::int64_t depth, std::int64_t stride) {
    return fetches_of([&](Kernel& kernel) {
             Builder b(kernel);
             const int a = b.buffer("a", f32, 100 * stride, Access::in), x = b.buffer("b", f32, depth * 16, Access::in);
             const int c = b.buffer("c", f32, 3 * 16, Access::out);
             Contract tile = product(3, 16, depth, a, x);
             tile.a.stride_row = stride;
             b.contract(std::move(tile), f32,
                        [&](const Index& i, const Index& j, Value* value) { b.store(c, i * 16 + j, value); });
           })
        .first;
  };
  CHECK(fetches(32, 100) == 3 * 2);
  CHECK(fetches(33, 100) == 3 * 3);
  CHECK(fetches(65, 100) == 0);  // long enough for the hardware
  CHECK(fetches(32, 32) == 0);   // one behind the other
  CHECK(fetches(8, 20) == 0);    // all of A is near
}

TEST_CASE("each step fetches what lies beside a strip of a large matrix") {
  const auto fetches = [](std::int64_t rows, std::int64_t depth, std::int64_t stride) {
    return fetches_of([&](Kernel& kernel) {
             Builder b(kernel);
             const int a = b.buffer("a", f32, rows * depth, Access::in),
                       x = b.buffer("b", f32, depth * stride, Access::in);
             const int c = b.buffer("c", f32, rows * 24, Access::out);
             Contract tile = product(rows, 24, depth, a, x);
             tile.b.stride_depth = stride;
             b.contract(std::move(tile), f32,
                        [&](const Index& i, const Index& j, Value* value) { b.store(c, i * 24 + j, value); });
           })
        .second;
  };
  CHECK(fetches(4, 128, 1000) > 0);
  CHECK(fetches(4, 128, 1000) % 2 == 0);  // two lines for each step in the code
  CHECK(fetches(1, 128, 1000) == 0);      // a row alone waits for memory
  CHECK(fetches(4, 128, 255) == 0);       // rows near each other
  CHECK(fetches(4, 64, 1000) == 0);       // the matrix is near
}

TEST_CASE("what a short sum writes far away is fetched before") {
  const auto fetches = [](std::int64_t elements) {
    return fetches_of([&](Kernel& kernel) {
             Builder b(kernel);
             const int a = b.buffer("a", f32, 3 * 8, Access::in), x = b.buffer("b", f32, 8 * 16, Access::in);
             const int c = b.buffer("c", f32, elements, Access::out);
             b.contract(product(3, 16, 8, a, x), f32,
                        [&](const Index& i, const Index& j, Value* value) { b.store(c, i * 100 + j, value); });
           })
        .first;
  };
  CHECK(fetches(1 << 18) == 3);
  CHECK(fetches((1 << 18) - 1) == 0);
}

TEST_CASE("steps fetch what another tile will read, line by line") {
  const auto fetches = [](std::int64_t each, std::int64_t around) {
    return fetches_of([&](Kernel& kernel) {
             Builder b(kernel);
             const int a = b.buffer("a", f32, 4 * 64, Access::in), x = b.buffer("b", f32, 64 * 16, Access::in);
             const int c = b.buffer("c", f32, 4 * 16, Access::out);
             Contract tile = product(4, 16, 64, a, x);
             if (around > 1) tile.around.push_back({around, 0, 0});
             // Two buffers, beyond the end of one.
             tile.fetches = {{x, Index(1 << 20), each}, {a, Index(0), each}};
             b.contract(std::move(tile), f32,
                        [&](const Index& i, const Index& j, Value* value) { b.store(c, i * 16 + j, value); });
           })
        .second;
  };
  CHECK(fetches(16, 1) == 2 * 4);  // four steps in the code, a line each
  CHECK(fetches(4, 1) == 2);       // one line for four steps
  CHECK(fetches(5, 1) == 2 * 2);   // for three
  CHECK(fetches(40, 1) == 2 * 3 * 4);
  CHECK(fetches(16, 3) == 2 * 4);
}

TEST_CASE("what is fetched changes no result") {
  for (const std::int64_t each : {1, 7, 100})
    test::check_plain([&](Kernel& kernel) {
      Builder b(kernel);
      const int a = b.buffer("a", f32, 4 * 20, Access::in), x = b.buffer("b", f32, 40 * 24, Access::in);
      const int c = b.buffer("c", f32, 4 * 24, Access::out);
      Contract tile = product(4, 24, 20, a, x);
      tile.around.push_back({2, 0, 20 * 24});
      tile.fetches = {{x, Index(40 * 24), each}};
      b.contract(std::move(tile), f32,
                 [&](const Index& i, const Index& j, Value* value) { b.store(c, i * 24 + j, value); });
    });
}
