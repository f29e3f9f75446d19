// Elements that each iteration of a loop reads again, at places that jump, are copied once, ahead of it.
#include <catch2/catch.hpp>

#include "compiler/ir/kernel/builder.h"
#include "compiler/ir/kernel/print.h"
#include "compiler/ir/kernel/repeated_loads.h"
#include "compiler/ir/kernel/verify.h"

using namespace pullback;
using namespace pullback::kernel;

namespace {

/// y[r] += x[r] * w[j mod 3] for rows of 24 numbers, within `outer` iterations of a loop around.
std::string kept(std::int64_t outer, std::int64_t rows) {
  Kernel kernel;
  kernel.name = "rows";
  Builder b(kernel);
  const int x = b.buffer("x", f32, outer * rows * 24, Access::in), w = b.buffer("w", f32, 3, Access::in);
  const int y = b.buffer("y", f32, outer * 24, Access::inout);
  b.serial_loop("p", outer, [&](const Index& p) {
    b.serial_loop("r", rows, [&](const Index& r) {
      b.vector_loop("j", 24, 8, 1, [&](const Index& j) {
        Value* own = b.load(x, p * (rows * 24) + r * 24 + j);
        Value* product = b.mul(own, b.load(w, mod(j, 3)));
        Value* before = b.load(y, p * 24 + j);
        b.store(y, p * 24 + j, b.add(before, product));
      });
    });
  });
  keep_repeated_loads(kernel);
  verify(kernel, "test");
  return print(kernel);
}

}  // namespace

TEST_CASE("what rows read alike is copied ahead of all loops that it does not depend on") {
  CHECK(kept(5, 6) == R"(kernel @rows(x: f32[720] in, w: f32[3] in, y: f32[120] inout, repeated: f32[24] scratch) {
  vector j in 0..24 width 8 x 1 {
    %0: f32 = load w[mod(j, 3)]
    store repeated[j] = %0
  }
  serial p in 0..5 {
    serial r in 0..6 {
      vector j.0 in 0..24 width 8 x 1 {
        %1: f32 = load x[144*p + 24*r + j.0]
        %2: f32 = load repeated[j.0]
        %3: f32 = mul %1, %2
        %4: f32 = load y[24*p + j.0]
        %5: f32 = add %4, %3
        store y[24*p + j.0] = %5
      }
    }
  }
}
)");
}

TEST_CASE("a copy for few iterations is not made") {
  CHECK(kept(1, 3).find("repeated") == std::string::npos);
  CHECK(kept(1, 4).find("repeated") != std::string::npos);
}
