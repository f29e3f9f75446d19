// scan against the same computation unrolled: values, gradients, gradients of gradients, in f32 and f64.
#include <set>

#include "tests/control/support.h"

namespace pullback::test {

namespace {

using Tensors = std::vector<Tensor>;

/// What scan does, one iteration after the other.
ScanResult unrolled(Tensors carry, const Tensors& xs, const ScanBody& body, bool reverse, int length) {
  std::vector<Tensors> stacked;
  for (int step = 0; step < length; ++step) {
    const int i = reverse ? length - 1 - step : step;
    Tensors slices;
    for (const Tensor& x : xs) slices.push_back(squeeze(narrow(x, 0, i, 1), 0));
    ScanResult result = body(carry, slices);
    carry = result.carry;
    stacked.resize(result.ys.size());
    for (std::size_t k = 0; k < result.ys.size(); ++k)
      stacked[k].insert(reverse ? stacked[k].begin() : stacked[k].end(), result.ys[k]);
  }
  ScanResult result{carry, {}};
  for (const Tensors& ys : stacked) result.ys.push_back(stack(ys));
  return result;
}

Tensor loss_of(const ScanResult& result) {
  Tensor loss;
  double weight = 1;
  for (const Tensors* list : {&result.carry, &result.ys})
    for (const Tensor& t : *list) {
      const Tensor part = sum(sin(t)) * (weight += 0.5);
      loss = loss.defined() ? loss + part : part;
    }
  return loss;
}

/// A recurrent cell with a weight, a bias, two carries that use each other and two stacked values.
ScanBody cell(const Tensor& w, const Tensor& b) {
  return [=](const Tensors& carry, const Tensors& x) -> ScanResult {
    const Tensor h = tanh(matmul(carry[0], w) + b + x[0]);
    const Tensor c = carry[1] * 0.5 + h * sigmoid(x[0]);
    return {{h, c}, {h * c, exp(c * 0.25)}};
  };
}

void check_cell(DType dtype, int length, bool reverse) {
  Graph g("scan");
  const Tensor h = g.input("h", dtype, {2, 3}), c = g.input("c", dtype, {2, 3}),
               x = g.input("x", dtype, {length, 2, 3}), w = g.input("w", dtype, {3, 3}), b = g.input("b", dtype, {3});
  const Tensors wrt{h, c, x, w, b};
  const ScanResult looped = scan({h, c}, {x}, cell(w, b), {.reverse = reverse});
  const ScanResult plain = unrolled({h, c}, {x}, cell(w, b), reverse, length);
  Tensors actual, expected;
  for (const auto& [result, list] : {std::pair(&looped, &actual), std::pair(&plain, &expected)}) {
    const Tensors first = gradients(loss_of(*result), wrt);
    Tensor penalty;
    for (const Tensor& gradient : first)
      penalty = penalty.defined() ? penalty + sum(square(gradient)) : sum(square(gradient));
    for (const Tensors& part : {result->carry, result->ys, first, gradients(penalty, wrt)})
      list->insert(list->end(), part.begin(), part.end());
  }
  std::vector<Feed> feeds;
  unsigned seed = 1;
  for (const Tensor& t : wrt) {
    std::vector<std::int64_t> dims;
    for (const Dim& d : t.shape()) dims.push_back(d.constant());
    feeds.emplace_back(t, random_array(dtype, dims, seed++));
  }
  check_equal(g, actual, expected, feeds, 20 * tolerance_of(dtype));
}

}  // namespace

TEST_CASE("A scan's values, gradients and their gradients are those of the unrolled loop", "[control][scan]") {
  for (const DType dtype : {f32, f64})
    for (const int length : {1, 2, 5})
      for (const bool reverse : {false, true}) {
        INFO(name_of(dtype) << " length " << length << " reverse " << reverse);
        check_cell(dtype, length, reverse);
      }
}

TEST_CASE("A scan of no iterations returns its carry and empty ys", "[control][scan]") {
  Graph g("empty");
  const Tensor h = g.input("h", f32, {2}), x = g.input("x", f32, {0, 2}), w = g.input("w", f32, {2});
  const ScanResult r = scan({h}, {x}, [&](const Tensors& carry, const Tensors& s) -> ScanResult {
    const Tensor next = carry[0] * w + s[0];
    return {{next}, {next, sum(next)}};
  });
  CHECK(r.ys[0].type_string() == "f32[0,2]");
  const Tensor loss = sum(square(r.carry[0])) + sum(r.ys[0]);
  const Tensors d = gradients(loss, {h, w});
  for (const CompileOptions& options : {CompileOptions{}, reference()}) {
    const Outputs out = g.compile({r.carry[0], d[0], d[1], sum(r.ys[1])}, options)
                            .step({{h, floats({1, 2}, {2})}, {w, floats({3, 4}, {2})}, {x, floats({}, {0, 2})}});
    CHECK(numbers(out[0]) == std::vector<double>{1, 2});
    CHECK(numbers(out[1]) == std::vector<double>{2, 4});
    CHECK(numbers(out[2]) == std::vector<double>{0, 0});
    CHECK(numbers(out[3]) == std::vector<double>{0});
  }
}

TEST_CASE("A scan within a scan, with branches and a custom gradient inside", "[control][scan]") {
  for (const DType dtype : {f32, f64}) {
    Graph g("nested");
    const Tensor x = g.input("x", dtype, {3, 4, 2}), w = g.input("w", dtype, {2, 2}), h = g.input("h", dtype, {2});
    const auto clipped = [](const Tensor& v) {  // its gradient is twice the true one
      return custom_gradient(
          "doubled", {v}, [](const Tensors& a) { return Tensors{sin(a[0])}; },
          [](const Tensors& a) { return Tensors{a[2] * cos(a[0]) * 2}; })[0];
    };
    const ScanBody inner = [&](const Tensors& carry, const Tensors& s) -> ScanResult {
      const Tensor branch =
          cond(sum(s[0]) > 0, [&] { return carry[0] * s[0]; }, [&] { return tanh(matmul(carry[0], w)); });
      const Tensor next = clipped(branch + s[0]);
      return {{next}, {next * s[0]}};
    };
    const auto outer = [&](bool loops) {
      return ScanBody([&, loops](const Tensors& carry, const Tensors& s) -> ScanResult {
        ScanResult r =
            loops ? scan({carry[0]}, {s[0]}, inner, {.reverse = true}) : unrolled({carry[0]}, {s[0]}, inner, true, 4);
        return {{r.carry[0] + carry[0]}, {r.ys[0]}};
      });
    };
    const ScanResult looped = scan({h}, {x}, outer(true)), plain = unrolled({h}, {x}, outer(false), false, 3);
    const Tensors wrt{x, w, h};
    Tensors actual{looped.carry[0], looped.ys[0]}, expected{plain.carry[0], plain.ys[0]};
    for (const auto& [result, list] : {std::pair(&looped, &actual), std::pair(&plain, &expected)}) {
      const Tensors first = gradients(loss_of(*result), wrt);
      const Tensors second = gradients(sum(square(first[0])) + sum(first[1] * first[1]), wrt);
      list->insert(list->end(), first.begin(), first.end());
      list->insert(list->end(), second.begin(), second.end());
    }
    check_equal(
        g, actual, expected,
        {{x, random_array(dtype, {3, 4, 2}, 1)}, {w, random_array(dtype, {2, 2}, 2)}, {h, random_array(dtype, {2}, 3)}},
        50 * tolerance_of(dtype));
  }
}

TEST_CASE("A scan within a branch, and carries that change places", "[control][scan]") {
  Graph g("branch");
  const Tensor go = g.input("go", boolean, {}), a = g.input("a", f64, {3}), b = g.input("b", f64, {3});
  const ScanBody swap = [](const Tensors& c, const Tensors&) -> ScanResult { return {{c[1], c[0] * 2}, {c[0]}}; };
  const auto loop = [&] { return scan({a, b}, {}, swap, {.length = 5}); };
  const Tensors r = cond(
      go,
      [&]() -> Tensors {
        auto s = loop();
        return {s.carry[0], s.carry[1], s.ys[0]};
      },
      [&]() -> Tensors { return {a, b, stack({a, a, a, a, a})}; });
  const Tensors d = gradients(sum(r[0] * r[1]) + sum(r[2]), {a, b});
  for (const CompileOptions& options : {CompileOptions{}, reference()})
    for (const bool taken : {true, false}) {
      const Outputs out =
          g.compile({r[0], r[1], r[2], d[0], d[1]}, options)
              .step({{go, Array::scalar(taken)}, {a, random_array(f64, {3}, 1)}, {b, random_array(f64, {3}, 2)}});
      const std::vector<double> va = numbers(random_array(f64, {3}, 1)), vb = numbers(random_array(f64, {3}, 2));
      for (std::size_t i = 0; i < 3; ++i) {
        // a b -> b 2a -> 2a 2b -> 2b 4a -> 4a 4b -> 4b 8a
        CHECK(numbers(out[0])[i] == (taken ? 4 * vb[i] : va[i]));
        CHECK(numbers(out[1])[i] == (taken ? 8 * va[i] : vb[i]));
        CHECK(numbers(out[2])[9 + i] == (taken ? 2 * vb[i] : va[i]));
        CHECK(std::fabs(numbers(out[3])[i] - (taken ? 32 * vb[i] + 1 + 2 + 4 : vb[i] + 5)) < 1e-12);
        CHECK(std::fabs(numbers(out[4])[i] - (taken ? 32 * va[i] + 1 + 2 : va[i])) < 1e-12);
      }
    }
}

TEST_CASE("Symbolic lengths; forward derivatives of loops", "[control][scan]") {
  Graph g("symbolic");
  const Dim time = dim("time");
  const Tensor x = g.input("x", f64, {time, 2}), w = g.input("w", f64, {2});
  const ScanResult r =
      scan({w}, {x}, [&](const Tensors& c, const Tensors& s) -> ScanResult { return {{sin(c[0] * w + s[0])}, {}}; });
  const Tensor loss = sum(r.carry[0]);
  const Program gradient = g.gradient(loss, {x, w}).compile();
  const Function hvp = g.hvp(loss, {x, w});
  for (const std::int64_t length : {1, 3, 7}) {
    const Array at = random_array(f64, {length, 2}, 5), v = random_array(f64, {2}, 6);
    const Array tx = random_array(f64, {length, 2}, 7), tw = random_array(f64, {2}, 8);
    const auto moved = [](const Array& x0, const Array& t, double by) {
      std::vector<double> a = numbers(x0);
      for (std::size_t i = 0; i < a.size(); ++i) a[i] += by * numbers(t)[i];
      return Array::from(a, x0.dims());
    };
    Program products = hvp.compile(), slopes = gradient;
    const Outputs h = products.step({{x, at}, {w, v}, {"t.x", tx}, {"t.w", tw}});
    const double step = 1e-5;
    const Outputs up = slopes.step({{x, moved(at, tx, step)}, {w, moved(v, tw, step)}});
    const Outputs down = slopes.step({{x, moved(at, tx, -step)}, {w, moved(v, tw, -step)}});
    for (std::size_t k = 0; k < 2; ++k)
      for (std::size_t i = 0; i < numbers(h[k]).size(); ++i)
        CHECK(std::fabs(numbers(h[k])[i] - (numbers(up[k])[i] - numbers(down[k])[i]) / (2 * step)) < 1e-8);
  }
}

TEST_CASE("Each iteration draws its own random numbers, in loops within loops too", "[control][scan][random]") {
  Graph g("random", {.seed = 3});
  const Tensor zero = g.constant(0);
  const ScanBody inner = [&](const Tensors& c, const Tensors&) -> ScanResult { return {{c[0]}, {uniform(g, {4})}}; };
  const ScanBody outer = [&](const Tensors& c, const Tensors&) -> ScanResult {
    return {{c[0]}, {scan({c[0]}, {}, inner, {.length = 3}).ys[0]}};
  };
  const Tensor draws = scan({zero}, {}, outer, {.length = 5}).ys[0];
  Program compiled = g.compile({draws}), evaluated = g.compile({draws}, reference());
  std::set<double> seen;
  const std::vector<double> first = numbers(compiled.step()[0]);
  seen.insert(first.begin(), first.end());
  CHECK(seen.size() == 60);
}

TEST_CASE("Mistakes in loops are told with the user's line", "[control][errors]") {
  Graph g("wrong");
  const Tensor h = g.input("h", f32, {2}), x = g.input("x", f32, {3, 2}), y = g.input("y", f32, {4, 2});
  const auto same = [](const Tensors& c, const Tensors&) -> ScanResult { return {c, {}}; };
  CHECK_THAT(error_of([&] {
               scan({h}, {x}, [](const Tensors& c, const Tensors&) -> ScanResult { return {{sum(c[0])}, {}}; });
             }),
             Catch::Contains("scan: carry 0 h is f32[2], the body makes it f32[]") && Catch::Contains("test_scan.cpp"));
  CHECK_THAT(error_of([&] { scan({h}, {x}, [](const Tensors&, const Tensors&) -> ScanResult { return {}; }); }),
             Catch::Contains("there are 1 carries, but the body returns 0"));
  CHECK_THAT(
      error_of([&] { scan({h}, {x, y}, same); }),
      Catch::Contains("xs[1] is f32[4,2], but the leading axis of xs[0] is 3") && Catch::Contains("test_scan.cpp"));
  CHECK_THAT(error_of([&] { scan({h}, {x}, same, {.length = 5}); }),
             Catch::Contains("xs[0] is f32[3,2], but the length is 5"));
  CHECK_THAT(error_of([&] { scan({h}, {}, same); }), Catch::Contains("give the length"));
  CHECK_THAT(error_of([&] { scan({h}, {sum(x)}, same); }), Catch::Contains("no leading axis"));
  CHECK_THAT(error_of([&] { scan({}, {}, same, {.length = 2}); }), Catch::Contains("nothing to loop over"));
  const auto whole = [](const Tensors& c) { return c[0] > 0; };
  const auto halved = [](const Tensors& c) { return Tensors{c[0] * 0.5}; };
  CHECK_THAT(error_of([&] { while_loop({h}, whole, halved); }),
             Catch::Contains("while_loop: the condition gives bool[2]: a bool scalar is needed") &&
                 Catch::Contains("test_scan.cpp"));
  const auto positive = [](const Tensors& c) { return sum(c[0]) > 0; };
  CHECK_THAT(error_of([&] { while_loop({h}, positive, [](const Tensors& c) { return Tensors{sum(c[0])}; }); }),
             Catch::Contains("carry 0 h is f32[2], the body makes it f32[]"));
  const Tensor last = while_loop({h}, positive, halved)[0];
  CHECK_THAT(error_of([&] { g.gradient(sum(last), {h}); }), Catch::Contains("max_trips"));
}

}  // namespace pullback::test
