// Maps and sets by address hold what was put in, through growth and collisions.
#include <catch2/catch.hpp>

#include <vector>

#include "compiler/support/pointer_lists.h"
#include "compiler/support/pointer_map.h"

using namespace pullback;

TEST_CASE("a map by address finds what it was given, and nothing else") {
  std::vector<char> memory(2000);  // neighbouring addresses: many share their first place
  PointerMap<int> map;
  CHECK(map.empty());
  CHECK(map.find(memory.data()) == nullptr);
  for (int i = 0; i < 1000; ++i) map[&memory[static_cast<std::size_t>(2 * i)]] = i;
  for (int i = 0; i < 1000; ++i) {
    const auto at = static_cast<std::size_t>(2 * i);
    REQUIRE(map.find(&memory[at]) != nullptr);
    CHECK(*map.find(&memory[at]) == i);
    CHECK(!map.contains(&memory[at + 1]));
  }
  map[memory.data()] = 7;
  CHECK(*map.find(memory.data()) == 7);
}

TEST_CASE("large values lie apart from their addresses") {
  std::vector<char> memory(1000);
  PointerMap<std::vector<int>> map;
  for (int i = 0; i < 1000; ++i) map[&memory[static_cast<std::size_t>(i)]].push_back(i);
  for (int i = 0; i < 1000; i += 2) map[&memory[static_cast<std::size_t>(i)]].push_back(-i);
  for (int i = 0; i < 1000; ++i) {
    const std::vector<int>* found = map.find(&memory[static_cast<std::size_t>(i)]);
    REQUIRE(found != nullptr);
    CHECK(*found == (i % 2 == 0 ? std::vector<int>{i, -i} : std::vector<int>{i}));
  }
  CHECK(map.find(&map) == nullptr);
}

TEST_CASE("a set by address holds each once") {
  int a = 0, b = 0, c = 0;
  PointerSet set(std::vector<const int*>{&a, &b, &a});
  CHECK(set.contains(&a));
  CHECK(set.contains(&b));
  CHECK(!set.contains(&c));
  set.insert_all(std::vector<const int*>{&c});
  CHECK(set.contains(&c));
}

TEST_CASE("lists by address keep the order of their own elements") {
  std::vector<char> memory(100);
  PointerLists<int> lists;
  CHECK(lists.of(memory.data()).empty());
  for (int i = 0; i < 300; ++i) lists.add(&memory[static_cast<std::size_t>(i % 100)], i);
  for (int i = 0; i < 100; ++i)
    CHECK(lists.of(&memory[static_cast<std::size_t>(i)]) == std::vector{i, i + 100, i + 200});
  std::vector<int> backwards;
  lists.for_each(&memory[7], [&](int element) { backwards.push_back(element); });
  CHECK(backwards == std::vector{207, 107, 7});
  CHECK(lists.of(&lists).empty());
}
