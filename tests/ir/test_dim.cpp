// Dimensions are a ring of polynomials with exact division and a text form.
#include <catch2/catch.hpp>

#include <random>

#include <pullback/dim.h>
#include <pullback/error.h>

using namespace pullback;
using Catch::Matchers::Contains;

namespace {

Dim random_dim(std::mt19937& random) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Dim result = pick(7) - 3;
  for (int term = pick(4); term > 0; --term) {
    Dim product = pick(5) - 2;
    for (int factor = pick(3); factor >= 0; --factor) product = product * dim(std::string(1, "abn"[pick(3)]));
    result = result + product;
  }
  return result;
}

}  // namespace

TEST_CASE("dimensions print as polynomials and read back") {
  const Dim batch = dim("batch"), time = dim("time");
  CHECK(Dim(128).to_string() == "128");
  CHECK((batch * time + 1).to_string() == "batch*time+1");
  CHECK((2 * batch - 3).to_string() == "2*batch-3");
  CHECK((0 - batch).to_string() == "-batch");
  CHECK((time * time + batch * time - time).to_string() == "batch*time+time*time-time");
  CHECK((batch - batch).is_constant());
  CHECK((batch - batch).constant() == 0);
  CHECK(Dim::parse("time * (batch + 1)") == batch * time + time);
  CHECK(Dim::parse("-3") == Dim(-3));
  CHECK(to_string(Shape{batch, 784}) == "[batch,784]");
  CHECK(to_string(Shape{}) == "[]");
}

TEST_CASE("division is exact or nothing") {
  const Dim a = dim("a"), b = dim("b");
  CHECK(*((a + b) * (a - b)).divided_by(a + b) == a - b);
  CHECK(*(6 * a * b).divided_by(3 * b) == 2 * a);
  CHECK_FALSE((6 * a).divided_by(4));
  CHECK_FALSE((a + 1).divided_by(a));
  CHECK_FALSE(a.divided_by(0));
  CHECK(Dim(0).divided_by(a)->constant() == 0);
}

TEST_CASE("substitution gives numbers to symbols") {
  const Dim size = dim("batch") * dim("time") + 1;
  CHECK(size.substitute({{"batch", 4}}) == 4 * dim("time") + 1);
  CHECK(size.substitute({{"batch", 4}, {"time", 5}}).constant() == 21);
  CHECK(size.symbols() == std::set<std::string>{"batch", "time"});
}

TEST_CASE("random dimensions obey the laws of a ring") {
  std::mt19937 random(1);
  const Bindings numbers{{"a", 3}, {"b", 5}, {"n", 7}};
  for (int round = 0; round < 500; ++round) {
    const Dim x = random_dim(random), y = random_dim(random), z = random_dim(random);
    CHECK(x * (y + z) == x * y + x * z);
    CHECK(x * y == y * x);
    CHECK(x + y - y == x);
    CHECK(Dim::parse(x.to_string()) == x);
    CHECK((x * y - z).substitute(numbers).constant() ==
          x.substitute(numbers).constant() * y.substitute(numbers).constant() - z.substitute(numbers).constant());
    if (!(y == Dim(0))) CHECK(*(x * y).divided_by(y) == x);
  }
}

TEST_CASE("errors of dimensions say what is wrong") {
  CHECK_THROWS_WITH(dim("two words"), Contains("'two words' is not a name"));
  CHECK_THROWS_WITH((dim("batch") + 1).constant(), Contains("batch+1 has no number yet: batch must be bound first"));
  CHECK_THROWS_WITH(Dim::parse("batch*"), Contains("'batch*' is not a polynomial"));
  CHECK_THROWS_WITH(Dim::parse("(a"), Contains("is not a polynomial"));
  CHECK_THROWS_WITH(Dim::parse(""), Contains("is not a polynomial"));
  CHECK_THROWS_WITH(Dim::parse(std::string(100000, '(')), Contains("is not a polynomial"));
  CHECK_THROWS_WITH(Dim::parse("99999999999999999999"), Contains("overflows"));
  CHECK_THROWS_WITH(Dim(INT64_MAX) * Dim(2), Contains("overflows"));
}
