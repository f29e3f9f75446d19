// Programs as bytes: all comes back, and nothing that was damaged does.
#include <catch2/catch.hpp>

#include <cstring>

#include "runtime/stored_program.h"

using namespace pullback;
using namespace pullback::runtime;

namespace {

StoredProgram example() {
  StoredProgram program;
  program.code.bytes = {std::byte{0xC3}, std::byte{0x90}};
  program.code.entry = 1;
  program.layout.arena_bytes = 128;
  program.layout.scratch_bytes = 64;
  program.layout.profiled_calls = 3;
  program.layout.constants = Array::from(std::vector<std::uint8_t>{1, 2, 3}, {3});
  program.layout.slots = {{"x", SlotRole::input, f32, {2, 3}}, {"w", SlotRole::state, bf16, {}}};
  program.layout.checks = {{"index {}", {"model.cpp", 7}, {{f32, 2, 16}}}};
  return program;
}

}  // namespace

TEST_CASE("a stored program comes back whole", "[executable]") {
  const StoredProgram program = parse_program("x.code", serialize(example()));
  CHECK(program.code.bytes == example().code.bytes);
  CHECK(program.code.entry == 1);
  const ExecutableLayout& layout = program.layout;
  CHECK(layout.arena_bytes == 128);
  CHECK(layout.scratch_bytes == 64);
  CHECK(layout.profiled_calls == 3);
  REQUIRE(layout.constants.size() == 3);
  CHECK(layout.constants.values<std::uint8_t>()[2] == 3);
  REQUIRE(layout.slots.size() == 2);
  CHECK(layout.slots[0].name == "x");
  CHECK(layout.slots[0].dims == std::vector<std::int64_t>{2, 3});
  CHECK(layout.slots[1].role == SlotRole::state);
  CHECK(layout.slots[1].dtype == bf16);
  REQUIRE(layout.checks.size() == 1);
  CHECK(layout.checks[0].message == "index {}");
  CHECK(layout.checks[0].where == SourceLine("model.cpp", 7));
  REQUIRE(layout.checks[0].witnesses.size() == 1);
  CHECK(layout.checks[0].witnesses[0].base == 2);
  CHECK(layout.checks[0].witnesses[0].offset == 16);
}

TEST_CASE("no byte of a stored program can change or be missing", "[executable]") {
  const std::vector<std::byte> good = serialize(example());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x10};
    CHECK_THROWS_AS(parse_program("x.code", bad), Error);
    CHECK_THROWS_AS(parse_program("x.code", std::span(good).first(i)), Error);
  }
}
