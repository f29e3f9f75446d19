// Vectors that hold a few elements in themselves, and sets and maps that are sorted vectors.
#include <catch2/catch.hpp>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "compiler/support/flat_set.h"
#include "compiler/support/small_vector.h"

using namespace pullback;

namespace {

using Numbers = SmallVector<std::shared_ptr<int>, 2>;

Numbers numbers(int count) {
  Numbers result;
  for (int i = 0; i < count; ++i) result.push_back(std::make_shared<int>(i));
  return result;
}

bool counts_up(const Numbers& values, std::size_t count) {
  if (values.size() != count) return false;
  for (std::size_t i = 0; i < count; ++i)
    if (!values[i] || *values[i] != static_cast<int>(i)) return false;
  return true;
}

}  // namespace

TEST_CASE("a small vector holds few elements in itself and more elsewhere", "[containers]") {
  for (const std::size_t count : {0u, 1u, 2u, 3u, 9u}) {
    Numbers values = numbers(static_cast<int>(count));
    CHECK(counts_up(values, count));
    CHECK(values.empty() == (count == 0));

    const Numbers copy = values;
    CHECK(counts_up(copy, count));
    if (count > 0) CHECK(copy.back().use_count() == 2);

    Numbers moved = std::move(values);
    CHECK(counts_up(moved, count));
    CHECK(values.empty());  // NOLINT: it may be used again
    values.push_back(std::make_shared<int>(0));
    CHECK(counts_up(values, 1));
  }
}

TEST_CASE("small vectors are assigned whatever both hold", "[containers]") {
  for (const std::size_t from : {0u, 2u, 5u})
    for (const std::size_t to : {0u, 1u, 2u, 7u}) {
      Numbers source = numbers(static_cast<int>(from)), target = numbers(static_cast<int>(to));
      target = source;
      CHECK(counts_up(target, from));
      CHECK(counts_up(source, from));
      target = numbers(static_cast<int>(to));
      target = std::move(source);
      CHECK(counts_up(target, from));
      CHECK(source.empty());  // NOLINT: it may be used again
      target = *&target;
      CHECK(counts_up(target, from));
    }
}

TEST_CASE("a small vector appends and shrinks", "[containers]") {
  Numbers values = numbers(1);
  const std::vector<std::shared_ptr<int>> more{std::make_shared<int>(1), std::make_shared<int>(2)};
  values.append(more.begin(), more.end());
  CHECK(counts_up(values, 3));
  values.shrink(1);
  CHECK(counts_up(values, 1));
  CHECK(more.front().use_count() == 1);
  values.clear();
  CHECK(values.empty());
}

TEST_CASE("flat sets are sets", "[containers]") {
  FlatSet<int> flat, other;
  std::set<int> tree, other_tree;
  for (int i = 0; i < 50; ++i) {
    const int x = i * 37 % 31, y = i * 11 % 23 + 10;
    CHECK(flat.insert(x) == tree.insert(x).second);
    other.insert(y);
    other_tree.insert(y);
    if (i % 3 == 0) {
      flat.erase(y);
      tree.erase(y);
    }
    CHECK(flat.contains(y) == (tree.count(y) != 0));
  }
  CHECK(std::vector<int>(flat.begin(), flat.end()) == std::vector<int>(tree.begin(), tree.end()));
  flat.insert_all(other);
  tree.insert(other_tree.begin(), other_tree.end());
  CHECK(std::vector<int>(flat.begin(), flat.end()) == std::vector<int>(tree.begin(), tree.end()));
  CHECK(*flat.upper_bound(12) == *tree.upper_bound(12));
  CHECK(flat.back() == *tree.rbegin());
}

TEST_CASE("flat maps keep what they have", "[containers]") {
  FlatMap<int, int> map, other;
  map[3] = 30;
  map[1] = 10;
  map[3] += 1;
  other[1] = 11;
  other[2] = 20;
  map.insert_all(other);
  CHECK(map.at(1) == 10);
  CHECK(map.at(2) == 20);
  CHECK(map.at(3) == 31);
  CHECK(map.find(4) == nullptr);
  CHECK_THROWS_AS(map.at(4), std::out_of_range);
}
