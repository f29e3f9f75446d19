// Arrays and errors.
#include <pullback/array.h>
#include <pullback/error.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

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

TEST_CASE("large arrays begin at different sets of the cache", "[array]") {
  constexpr std::uintptr_t kPage = 4096;
  for (const std::int64_t elements : {std::int64_t{1} << 15, std::int64_t{1} << 18, std::int64_t{3} << 19}) {
    std::vector<Array> arrays;
    std::set<std::uintptr_t> places;
    for (int i = 0; i < 4; ++i) {
      const Array& array = arrays.emplace_back(f32, std::vector{elements});
      const auto address = reinterpret_cast<std::uintptr_t>(array.raw());
      CHECK(address % 64 == 0);
      CHECK(array.values<float>().front() == 0);
      CHECK(array.values<float>().back() == 0);
      places.insert(address % kPage);
    }
    CHECK(places.size() == arrays.size());
  }
}

TEST_CASE("lasting arrays are zero-filled and outlive those beside them", "[array]") {
  constexpr std::int64_t kSizes[] = {0, 3, 2000, std::int64_t{1} << 15, std::int64_t{1} << 18, std::int64_t{5} << 20};
  std::vector<Array> kept;
  for (int round = 0; round < 20; ++round)
    for (const std::int64_t size : kSizes) {
      const auto writer = round % 3 == 1 ? runtime::FirstWriter::owner : runtime::FirstWriter::step;
      Array array = runtime::lasting_array(f32, {size}, writer);
      CHECK(reinterpret_cast<std::uintptr_t>(array.raw()) % 64 == 0);
      const std::span<float> values = array.values<float>();
      CHECK(std::count(values.begin(), values.end(), 0.0f) == size);
      std::fill(values.begin(), values.end(), static_cast<float>(kept.size() + 1));
      if (size < 1 << 20 && round % 2 == 0) kept.push_back(std::move(array));
    }
  for (std::size_t i = 0; i < kept.size(); ++i)
    CHECK(std::count(kept[i].values<float>().begin(), kept[i].values<float>().end(), static_cast<float>(i + 1)) ==
          kept[i].size());
  CHECK_THROWS_WITH(runtime::lasting_array(f32, {-1}), Contains("negative size"));
}

#ifndef __SANITIZE_ADDRESS__  // there each array has a place of its own
TEST_CASE("lasting arrays of middle size share pages", "[array]") {
  // One behind the other, but where the first is the last on its pages.
  const Array first = runtime::lasting_array(f32, {5000}), second = runtime::lasting_array(f32, {5000});
  const Array third = runtime::lasting_array(f32, {5000});
  const auto distance = [](const Array& a, const Array& b) {
    return static_cast<const std::byte*>(b.raw()) - static_cast<const std::byte*>(a.raw());
  };
  constexpr std::ptrdiff_t kRounded = (20000 + 63) / 64 * 64;
  CHECK((distance(first, second) == kRounded || distance(second, third) == kRounded));
}
#endif

TEST_CASE("an array that was moved from has no elements", "[array]") {
  Array a = Array::scalar(1.0f);
  const Array b = std::move(a);
  CHECK(b.item() == 1);
  CHECK(a.size() == 0);
  CHECK(a.values<float>().empty());
  CHECK(a.clone().size() == 0);
  CHECK_THROWS_WITH(a.item(), Contains("item() of f32[], which has 0 elements (test_array.cpp:"));
  CHECK_THROWS_WITH(a.reshape({1}), Contains("0 elements against 1"));
  a = Array(f32, {2});
  CHECK(a.values<float>().size() == 2);
  Array c;
  c = std::move(a);
  CHECK(a.size() == 0);
  CHECK(c.size() == 2);
}

TEST_CASE("an array's errors carry the line of the call", "[array]") {
  Array a(f32, {2});
  CHECK_THROWS_WITH(Array(f32, {-1}), Contains("array: f32[-1] has a negative size (test_array.cpp:"));
  CHECK_THROWS_WITH(Array(f32, {std::int64_t{1} << 60}), Contains("out of memory") && Contains("(test_array.cpp:"));
  CHECK_THROWS_WITH(a.values<double>(), Contains("f32[2] read as f64 (test_array.cpp:"));
  CHECK_THROWS_WITH(a.reshape({3}), Contains("2 elements against 3 (test_array.cpp:"));
  CHECK_THROWS_WITH(a.item(), Contains("which has 2 elements (test_array.cpp:"));
  CHECK_THROWS_WITH(Array::view(f32, {2}, nullptr), Contains("f32[2] is a view of no memory (test_array.cpp:"));
  CHECK(Array::view(f32, {0, 2}, nullptr).clone().size() == 0);
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
