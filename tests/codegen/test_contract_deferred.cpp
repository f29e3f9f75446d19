// Tiles one after the other whose endings run beside the next tile.
#include <catch2/catch.hpp>

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

namespace {

struct Tiles {
  std::int64_t count = 5, rows = 8, columns = 32, depth = 128;
  DType dtype = f32;
  int steps = 6;          // of a long ending
  bool in_place = false;  // the tile's first operand is what the ending writes

  /// Rows of w are replaced by what a momentum, its gradient a*b and a root make of them.
  void write(Kernel& k) const {
    Builder b(k);
    const std::int64_t pitch = columns + 3, all = count * rows;
    const int a = b.buffer("a", dtype, all * depth, in_place ? Access::inout : Access::in);
    const int x = b.buffer("b", dtype, depth * columns, Access::in);
    const int m = b.buffer("m", dtype, all * pitch, Access::inout),
              w = b.buffer("w", dtype, all * pitch, Access::inout);
    b.serial_loop("it", count, [&](const Index& it) {
      Contract tile;
      tile.rows = rows;
      tile.columns = columns;
      tile.depth = depth;
      tile.a = {a, it * rows, 1, all};
      tile.b = {x, Index(0), columns};
      b.contract(std::move(tile), dtype, [&](const Index& i, const Index& j, Value* gradient) {
        const Index at = (it * rows + i) * pitch + j;
        Value* moment = b.add(b.mul(b.load(m, at), b.constant(dtype, 0.5)), gradient);
        Value* y = b.sqrt(b.abs(moment));
        for (int s = 0; s < steps; ++s) y = b.add(b.mul(y, b.constant(dtype, 0.75)), b.constant(dtype, s));
        b.store(m, at, moment);
        b.store(w, at, b.sub(b.load(w, at), y));
        if (in_place) b.store(a, it * rows + i + j * all, y);
      });
    });
  }

  void check() const {
    CAPTURE(count, rows, columns, depth, name_of(dtype), steps);
    test::check_plain([&](Kernel& k) { write(k); });
  }

  /// How often the ending's root stands in the code.
  int roots(const std::string& target) const {
    auto kernel = std::make_shared<Kernel>();
    write(*kernel);
    const codegen::Compiled compiled =
        driver::generate_code(test::schedule_of(kernel), {.target = Target::parse(target), .want_asm_text = true});
    int found = 0;
    for (std::size_t at = 0; (at = compiled.asm_text.find("vsqrtps", at)) != std::string::npos; ++at) ++found;
    return found;
  }
};

}  // namespace

TEST_CASE("endings beside the next tile") {
  Tiles{}.check();
  Tiles{.count = 4, .depth = 32}.check();  // the fewest tiles and steps
  Tiles{.rows = 7, .depth = 100}.check();  // steps are left over
  Tiles{.rows = 14, .depth = 57}.check();  // an odd number of them
  Tiles{.columns = 21}.check();            // a masked vector
  Tiles{.rows = 9, .columns = 19, .depth = 64, .dtype = f64}.check();
}

TEST_CASE("long endings of several tiles run beside the next one, where registers are many") {
  const std::string many = "x86-64-v4", few = "x86-64-v3";
  CHECK(Tiles{}.roots(many) == 4);  // a row in the loop over tiles, and the rows of the last tile
  CHECK(Tiles{}.roots(few) == 4);   // a row of four vectors, behind the tile
  CHECK(Tiles{.count = 3}.roots(many) == 2);
  CHECK(Tiles{.depth = 31}.roots(many) == 2);     // fewer than four steps for each row
  CHECK(Tiles{.steps = 1}.roots(many) == 2 * 8);  // a short ending, for each vector
  CHECK(Tiles{.in_place = true}.roots(many) == 2);
}
