// Reductions, norms and products beyond the primitive ones.
#include "tests/frontend/functions_testing.h"

namespace pullback::test {

using Catch::Matchers::Contains;

TEST_CASE("the largest element with its index takes the gradient alone") {
  const Outcome largest =
      differentiate({{{2, 3}, {1, 3, 3, 2, 2, 2}}}, [](const auto& x) { return max_with_index(x[0], 1).values; });
  CHECK(largest.value == Numbers{3, 2});
  CHECK(largest.gradients[0] == Numbers{0, 1, 0, 1, 0, 0});
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 3});
  const Indexed smallest = min_with_index(x, 0, true);
  CHECK(smallest.indices.shape() == Shape{1, 3});
  CHECK(values(g, smallest.indices, {{x, floats({1, NAN, 3, 2, 2, 3}, {2, 3})}}) == Numbers{0, 0, 0});
}

TEST_CASE("deviations") {
  const Argument x{{2, 3}, {1, 2, 6, 4, 4, 4}};
  const Outcome deviation = differentiate({x}, [](const auto& v) { return stddev(v[0], 1, false, 1); });
  check_close(deviation.value, {std::sqrt(7.0), 0});
  const double s = 2 * std::sqrt(7.0);
  check_close(deviation.gradients[0], {-2 / s, -1 / s, 3 / s, 0, 0, 0});
  const VarMean shapes = [&] {
    Graph g("g");
    return var_mean(g.input("x", f32, {2, 3, 4}), {0, 2}, true);
  }();
  CHECK((shapes.var.shape() == Shape{1, 3, 1} && shapes.mean.shape() == Shape{1, 3, 1}));
  CHECK(std::isnan(differentiate({vector({1})}, [](const auto& v) { return var(v[0], 0, false, 1); }).value[0]));
}

TEST_CASE("logsumexp of infinities, at f32 too") {
  check_close(differentiate({{{3, 2}, {-kInfinity, -kInfinity, kInfinity, 0, 1000, -kInfinity}}},
                            [](const auto& x) { return logsumexp(x[0], 1); })
                  .value,
              {-kInfinity, kInfinity, 1000});
  Graph g("g");
  const Tensor x = g.input("x", f32, {2});
  CHECK(numbers(g.compile({logsumexp(x)}).step({{x, floats({-INFINITY, -INFINITY}, {2})}})[0])[0] == -kInfinity);
}

TEST_CASE("truth of elements, and of none") {
  Graph g("g");
  const Tensor x = g.input("x", f32, {2, 3}), none = g.input("none", f32, {0});
  const std::vector<Feed> feeds{{x, floats({0, 2, 0, 1, NAN, -1}, {2, 3})}};
  CHECK(values(g, any(x, 0), feeds) == Numbers{1, 1, 1});
  CHECK(values(g, all(x, 1), feeds) == Numbers{0, 1});
  CHECK(values(g, count_nonzero(x, 1), feeds) == Numbers{1, 3});
  const std::vector<Feed> empty{{none, floats({}, {0})}};
  CHECK(values(g, any(none), empty) == Numbers{0});
  CHECK(values(g, all(none), empty) == Numbers{1});
  CHECK(values(g, sum(none), empty) == Numbers{0});
  CHECK(values(g, prod(none), empty) == Numbers{1});
  CHECK_THAT(error_of([&] { max(g.constant(0, {3, 0}), 1); }),
             Contains("max: the operand is f32[3,0]: there is no element to choose from"));
  CHECK(max(g.constant(0, {0, 3}), 1).shape() == Shape{0});
  CHECK(softmax(g.constant(0, {3, 0})).shape() == Shape{3, 0});
}

TEST_CASE("norms and their gradients at 0") {
  const auto norm_of = [](double p) { return [p](const std::vector<Tensor>& x) { return norm(x[0], p, 1); }; };
  const Argument x{{2, 3}, {3, 0, -4, 0, 0, 0}};
  const Outcome two = differentiate({x}, norm_of(2)), one = differentiate({x}, norm_of(1));
  check_close(two.value, {5, 0});
  check_close(two.gradients[0], {0.6, 0, -0.8, 0, 0, 0});
  check_close(one.value, {7, 0});
  check_close(one.gradients[0], {1, 0, -1, 0, 0, 0});
  check_close(differentiate({x}, norm_of(0)).value, {2, 0});
  const Outcome three = differentiate({x}, norm_of(3));
  check_close(three.value, {std::cbrt(91.0), 0});
  const double scale = std::pow(91.0, 2.0 / 3);
  check_close(three.gradients[0], {9 / scale, 0, -16 / scale, 0, 0, 0});
  check_close(differentiate({x}, norm_of(0.5)).value, {std::pow(std::sqrt(3.0) + 2, 2), 0});
  const Outcome most = differentiate({{{1, 3}, {4, 1, -4}}}, norm_of(kInfinity));
  check_close(most.value, {4});
  check_close(most.gradients[0], {0.5, 0, -0.5});
  check_close(differentiate({{{1, 3}, {4, 1, -4}}}, norm_of(-kInfinity)).value, {1});
  check_close(differentiate({{{1, 2}, {2, 2}}}, norm_of(-1)).value, {1});
}

TEST_CASE("directions and distances") {
  const Outcome unit = differentiate({{{2, 2}, {3, 4, 0, 0}}}, [](const auto& x) { return normalize(x[0]); });
  check_close(unit.value, {0.6, 0.8, 0, 0});
  check_close(
      differentiate({{{1, 2}, {3, 4}}, {{1, 2}, {4, 3}}}, [](const auto& x) { return cosine_similarity(x[0], x[1]); })
          .value,
      {0.96});
  check_close(differentiate({{{1, 2}, {3, 4}}, {{1, 2}, {0, 0}}},
                            [](const auto& x) { return pairwise_distance(x[0], x[1], 1, 0.5); })
                  .value,
              {8});
  const Outcome all = differentiate({{{2, 2}, {0, 0, 3, 4}}, {{3, 2}, {0, 0, 3, 4, 0, 1}}},
                                    [](const auto& x) { return cdist(x[0], x[1]); });
  check_close(all.value, {0, 5, 1, 5, 0, std::sqrt(18.0)});
  check_gradients({{{2, 2}, {0.5, 0, 3, 4}}, {{1, 2}, {1, 2}}}, [](const auto& x) { return cdist(x[0], x[1], 3); });
}

TEST_CASE("einsum in all its notations") {
  const Argument a{{2, 3}, {1, 2, 3, 4, 5, 6}}, b{{3, 2}, {1, 0, 2, 1, 0, 3}}, s{{2, 2}, {1, 2, 3, 4}};
  const auto run = [](const char* equation, const std::vector<Argument>& operands) {
    return differentiate(operands, [&](const auto& x) { return einsum(equation, x); }).value;
  };
  CHECK(run("ij,jk->ik", {a, b}) == Numbers{5, 11, 14, 23});
  CHECK(run("ij,jk", {a, b}) == Numbers{5, 11, 14, 23});
  CHECK(run("ij, jk -> ki", {a, b}) == Numbers{5, 14, 11, 23});
  CHECK(run("ji", {a}) == Numbers{1, 4, 2, 5, 3, 6});
  CHECK(run("ij->", {a}) == Numbers{21});
  CHECK(run("ii", {s}) == Numbers{5});
  CHECK(run("ii->i", {s}) == Numbers{1, 4});
  CHECK(run("i,j->ij", {vector({1, 2}), vector({3, 4})}) == Numbers{3, 4, 6, 8});
  CHECK(run("ij,ij->ij", {a, a}) == Numbers{1, 4, 9, 16, 25, 36});
  CHECK(run("ij,jk,k->i", {a, b, vector({1, 2})}) == Numbers{27, 60});
  CHECK(run("ij,k->k", {a, vector({1, 2})}) == Numbers{21, 42});
  CHECK(run("...j,j->...", {a, vector({1, 0, 1})}) == Numbers{4, 10});
  CHECK(run("...ij,...jk->...ik", {{{2, 1, 2}, {1, 2, 3, 4}}, {{1, 2, 1}, {1, 1}}}) == Numbers{3, 7});
  CHECK(run("ij,ij->i", {a, {{2, 1}, {1, 2}}}) == Numbers{6, 30});  // size 1 stretches
  check_gradients({a, b, s}, [](const auto& x) { return einsum("ij,jk,kk->i", x); });
  Graph g("g");
  const Tensor batched = g.input("x", f32, {dim("batch"), dim("time"), 4}), w = g.input("w", f32, {4, 3});
  CHECK(einsum("btd,dk->tbk", {batched, w}).shape() == Shape{dim("time"), dim("batch"), 3});
  CHECK_THAT(error_of([&] { einsum("ij,jk", {w, w}); }), Contains("einsum: \"ij,jk\": 'j' has the sizes 3 and 4"));
  CHECK_THAT(error_of([&] { einsum("ijk", {w}); }), Contains("\"ijk\" does not fit the 2 axes of f32[4,3]"));
  CHECK_THAT(error_of([&] { einsum("ij->k", {w}); }), Contains("'k' of the result is in no operand"));
  CHECK_THAT(error_of([&] { einsum("ij,jk", {w}); }), Contains("2 operands are described, 1 are given"));
  CHECK_THAT(error_of([&] { einsum("i.j", {w}); }), Contains("einsum: \"i.j\":"));
}

TEST_CASE("linear and bilinear take PyTorch's layout") {
  const Argument x{{2, 2}, {1, 2, 3, 4}}, w{{3, 2}, {1, 0, 0, 1, 1, 1}};
  check_close(differentiate({x, w, vector({10, 20, 30})}, [](const auto& v) { return linear(v[0], v[1], v[2]); }).value,
              {11, 22, 33, 13, 24, 37});
  check_close(differentiate({x, vector({1, -1})}, [](const auto& v) { return linear(v[0], v[1]); }).value, {-1, -1});
  const std::vector<Argument> products{x, {{2, 1}, {2, 3}}, {{2, 2, 1}, {1, 0, 0, 1}}, vector({1, 2})};
  check_close(differentiate(products, [](const auto& v) { return bilinear(v[0], v[1], v[2], v[3]); }).value,
              {3, 6, 10, 14});
  Graph g("g");
  const Tensor a = g.input("a", f32, {2, 3}), b = g.input("b", f32, {4, 5});
  CHECK_THAT(error_of([&] { linear(a, b); }), Contains("linear: x is f32[2,3], the weight is f32[4,5]"));
  CHECK_THAT(error_of([&] { linear(a, g.constant(0, {4, 3}), a); }), Contains("the bias is f32[2,3], but f32[4]"));
}

}  // namespace pullback::test
