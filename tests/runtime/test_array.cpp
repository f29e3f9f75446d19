// Arrays and errors.
#include <pullback/array.h>
#include <pullback/error.h>

#include <catch2/catch.hpp>

using namespace pullback;
using Catch::Matchers::Contains;

TEST_CASE("an error ends with the user's line", "[error]") {
  CHECK(std::string(Error("matmul: no", SourceLine("model.cpp", 12)).what()) == "matmul: no (model.cpp:12)");
  CHECK(std::string(Error("matmul: no").what()) == "matmul: no");
  const SourceLine here = std::source_location::current();
  CHECK(here.file == "test_array.cpp");
  CHECK(here.to_string() == "test_array.cpp:" + std::to_string(here.line));
  CHECK(SourceLine().to_string().empty());
}

TEST_CASE("arrays are zero-filled, aligned and share storage", "[array]") {
  Array a(f32, {3, 4});
  CHECK(a.size() == 12);
  CHECK(a.bytes() == 48);
  CHECK(a.type_string() == "f32[3,4]");
  CHECK(reinterpret_cast<std::uintptr_t>(a.raw()) % 64 == 0);
  for (float v : a.values<float>()) CHECK(v == 0.0f);
  Array shared = a;
  Array copy = a.clone();
  a.values<float>()[5] = 2.0f;
  CHECK(shared.values<float>()[5] == 2.0f);
  CHECK(copy.values<float>()[5] == 0.0f);
  CHECK(a.reshape({2, 6}).raw() == a.raw());
  CHECK_THROWS_WITH(a.reshape({5}), Contains("cannot reshape f32[3,4] to f32[5]"));
  CHECK_THROWS_WITH(a.values<double>(), Contains("f32[3,4] read as f64"));
}

TEST_CASE("an empty array still has a valid pointer", "[array]") {
  CHECK(Array(i32, {0, 5}).raw() != nullptr);
  CHECK(Array(i32, {0, 5}).size() == 0);
  CHECK(Array(i32, {0, 5}).clone().type_string() == "i32[0,5]");
}

TEST_CASE("items of every dtype", "[array]") {
  CHECK(Array::scalar(2.5).item() == 2.5);
  CHECK(Array::scalar(true).item() == 1.0);
  CHECK(Array::scalar(std::int64_t{-7}).item() == -7.0);
  std::uint16_t half = 0xC100;       // -2.5
  std::uint16_t subnormal = 0x0001;  // 2^-24
  std::uint16_t brain = 0x4020;      // 2.5
  CHECK(Array::view(f16, {}, &half).item() == -2.5);
  CHECK(Array::view(f16, {}, &subnormal).item() == 0x1p-24);
  CHECK(Array::view(bf16, {1}, &brain).item() == 2.5);
  CHECK_THROWS_WITH(Array(f32, {2}).item(), Contains("item() of f32[2], which has 2 elements"));
}

TEST_CASE("impossible sizes are errors", "[array]") {
  CHECK_THROWS_WITH(Array(f32, {3, -1}), Contains("f32[3,-1] has a negative size"));
  CHECK_THROWS_WITH(Array(f64, {std::int64_t{1} << 40, std::int64_t{1} << 40}), Contains("too large"));
  CHECK_THROWS_WITH(Array(f64, {std::int64_t{1} << 58}), Contains("out of memory"));
  CHECK_THROWS_WITH(Array::from(std::vector<float>{1, 2, 3}, {2, 2}),
                    Contains("3 values given for f32[2,2], which has 4 (test_array.cpp:"));
}
