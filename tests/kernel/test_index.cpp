// Index simplification: that it is right (against brute force), and that it does what reshapes need.
#include <catch2/catch.hpp>

#include <array>
#include <random>

#include "compiler/ir/kernel/index.h"

using namespace pullback::kernel;

namespace {

std::int64_t floor_division(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

/// An expression evaluated twice: simplified as an Index, and plainly at every point of the variables' space.
struct Both {
  Index index;
  std::vector<std::int64_t> plain;
};

struct Space {
  std::array<LoopVar, 3> variables;
  std::size_t points = 1;

  explicit Space(std::mt19937& random) {
    static constexpr std::array<std::int64_t, 8> extents{1, 2, 3, 4, 5, 6, 8, 12};
    for (std::size_t v = 0; v < variables.size(); ++v) {
      variables[v] = {std::string(1, static_cast<char>('i' + v)), extents[random() % extents.size()],
                      static_cast<int>(v)};
      points *= static_cast<std::size_t>(variables[v].extent);
    }
  }
  std::int64_t coordinate(std::size_t point, std::size_t v) const {
    for (std::size_t d = 0; d < v; ++d) point /= static_cast<std::size_t>(variables[d].extent);
    return static_cast<std::int64_t>(point % static_cast<std::size_t>(variables[v].extent));
  }
  std::int64_t evaluate(const Index& index, std::size_t point) const {
    return index.evaluate([&](const LoopVar& v) { return coordinate(point, static_cast<std::size_t>(v.id)); },
                          [](const Value&) { return std::int64_t{0}; });
  }
};

Both random_expression(const Space& space, std::mt19937& random, int depth) {
  Both result;
  result.plain.resize(space.points);
  const auto number = [&](int low, int high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random); };
  if (depth == 0) {
    const std::size_t v = random() % 4;
    if (v == 3) {
      result.index = number(-7, 7);
      for (auto& x : result.plain) x = result.index.constant();
    } else {
      result.index = Index(space.variables[v]);
      for (std::size_t p = 0; p < space.points; ++p) result.plain[p] = space.coordinate(p, v);
    }
    return result;
  }
  const Both a = random_expression(space, random, depth - 1);
  static constexpr std::array<std::int64_t, 8> divisors{1, 2, 3, 4, 6, 8, 12, 24};
  const std::int64_t c = divisors[random() % divisors.size()];
  switch (random() % 4) {
    case 0: {
      const Both b = random_expression(space, random, depth - 1);
      const bool minus = random() % 4 == 0;
      result.index = minus ? a.index - b.index : a.index + b.index;
      for (std::size_t p = 0; p < space.points; ++p)
        result.plain[p] = minus ? a.plain[p] - b.plain[p] : a.plain[p] + b.plain[p];
      return result;
    }
    case 1: {
      const std::int64_t factor = random() % 2 ? c : number(-3, 5);
      result.index = a.index * factor;
      for (std::size_t p = 0; p < space.points; ++p) result.plain[p] = a.plain[p] * factor;
      return result;
    }
    case 2:
      result.index = floordiv(a.index, c);
      for (std::size_t p = 0; p < space.points; ++p) result.plain[p] = floor_division(a.plain[p], c);
      return result;
    default:
      result.index = mod(a.index, c);
      for (std::size_t p = 0; p < space.points; ++p) result.plain[p] = a.plain[p] - floor_division(a.plain[p], c) * c;
      return result;
  }
}

}  // namespace

TEST_CASE("simplified indices are the functions they came from") {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    const Space space(random);
    const Both both = random_expression(space, random, 1 + static_cast<int>(random() % 5));
    const Range range = both.index.range();
    std::size_t wrong = 0;
    for (std::size_t p = 0; p < space.points; ++p) {
      const std::int64_t x = both.plain[p];
      if (space.evaluate(both.index, p) != x || x < range.low || x > range.high) ++wrong;
    }
    INFO("round " << round << ": " << to_string(both.index) << " in " << range.low << ".." << range.high);
    REQUIRE(wrong == 0);
    for (const LoopVar& v : space.variables) {
      if (!both.index.depends_on(v)) REQUIRE(both.index.has_stride(v, 0));
      REQUIRE(both.index.is_variable(v) == (v.extent != 1 && both.index == Index(v)));
    }
  }
}

TEST_CASE("has_stride is the change of the index with the variable") {
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    const Space space(random);
    const Both both = random_expression(space, random, 4);
    for (std::size_t v = 0; v < 3; ++v) {
      std::size_t step = 1;
      for (std::size_t d = 0; d < v; ++d) step *= static_cast<std::size_t>(space.variables[d].extent);
      const std::int64_t stride = both.index.coefficient(space.variables[v]);
      if (!both.index.has_stride(space.variables[v], stride)) continue;
      for (std::size_t p = 0; p < space.points; ++p) {
        if (space.coordinate(p, v) + 1 >= space.variables[v].extent) continue;
        REQUIRE(both.plain[p + step] - both.plain[p] == stride);
      }
    }
  }
}

TEST_CASE("what reshapes do to an index stays affine") {
  const LoopVar i{"i", 10, 0}, j{"j", 6, 1}, t{"t", 4, 2};
  const Index I(i), J(j), T(t);
  CHECK(to_string(floordiv(I * 4 + T, 4)) == "i");
  CHECK(to_string(mod(I * 4 + T, 4)) == "t");
  CHECK(to_string(floordiv(I * 4 + 3 - T, 4)) == "i");
  CHECK(to_string(mod(I * 4 + 3 - T, 4)) == "-t + 3");
  CHECK(to_string(floordiv(I, 3) * 3 + mod(I, 3)) == "i");
  CHECK(to_string(floordiv(I * 8 + T + 4, 8)) == "i");
  CHECK(to_string(floordiv(I * 8 + J * 4 + T, 8)) == "i + floordiv(j, 2)");
  CHECK(to_string(mod(I * 8 + J * 4 + T, 8)) == "t + 4*mod(j, 2)");
  CHECK(to_string(floordiv(floordiv(I + J * 10, 4), 5)) == "floordiv(j, 2)");
  CHECK(to_string(mod(I, 10)) == "i");
  CHECK(to_string(floordiv(I, 10)) == "0");
  CHECK(to_string(mod(mod(I * 3, 8), 4)) == "mod(3*i, 4)");
  CHECK(to_string(floordiv(I + 5, 5)) == "floordiv(i, 5) + 1");
}

TEST_CASE("an index added to itself and to others in place is their sum") {
  const LoopVar i{"i", 10, 0}, j{"j", 6, 1};
  const Index I(i), J(j);
  Index sum = I + 3;
  sum += sum;
  CHECK(to_string(sum) == "2*i + 6");
  sum += J;
  sum += I * -2;  // what becomes 0 goes
  CHECK(to_string(sum) == "j + 6");
  Index constant = 4;
  constant += J;
  CHECK(constant == J + 4);
  Index quotient = floordiv(I, 3) * 3;
  quotient += mod(I, 3);
  CHECK(to_string(quotient) == "i");
  // The same where the two parts of an index come from several sums, as multiples.
  CHECK(to_string(mod(J * 7 + I, 4) * 2 + I + floordiv(J * 7 + I, 4) * 8) == "3*i + 14*j");
}

TEST_CASE("reshaping there and back is the identity") {
  std::mt19937 random(3);
  const std::vector<std::vector<std::int64_t>> shapes{{24, 10}, {240},       {2, 3, 4, 10}, {4, 6, 10},
                                                      {8, 30},  {5, 48},     {3, 80},       {15, 16},
                                                      {16, 15}, {1, 240, 1}, {12, 2, 2, 5}, {7, 240}};
  for (const auto& from : shapes) {
    for (const auto& to : shapes) {
      std::vector<LoopVar> variables;
      std::int64_t elements = 1, others = 1;
      for (std::size_t d = 0; d < from.size(); ++d) {
        variables.push_back({"i" + std::to_string(d), from[d], static_cast<int>(d)});
        elements *= from[d];
      }
      for (const std::int64_t d : to) others *= d;
      if (elements != others) continue;
      const std::vector<Index> indices(variables.begin(), variables.end());
      const Index position = flatten(indices, from);
      const std::vector<Index> reshaped = unflatten(position, to);
      CHECK(flatten(reshaped, to) == position);
      CHECK(unflatten(flatten(reshaped, to), from) == indices);
    }
  }
}

TEST_CASE("indices are substituted, compared and hashed by structure") {
  const LoopVar i{"i", 10, 0}, j{"j", 6, 1};
  const Index x = floordiv(Index(i) + 3, 4) + Index(j) * 2;
  CHECK(x == floordiv(Index(i) + 3, 4) + Index(j) + Index(j));
  CHECK(x.hash() == (Index(j) * 2 + floordiv(Index(i) + 3, 4)).hash());
  CHECK_FALSE(x == x + 1);
  CHECK(x.substitute([&](const LoopVar& v) { return v.id == 0 ? Index(5) : Index(v); }) == Index(j) * 2 + 2);
  CHECK(x.is_contiguous_in(j) == false);
  CHECK(x.has_stride(j, 2));
  CHECK_FALSE(x.has_stride(i, 0));
  CHECK((Index(j) * 4 + 8).divisor() == 4);
}
