// while_loop, fori_loop, checkpoint, dropout in loops; and that loops stay loops when they are compiled.
#include "tests/control/support.h"

namespace pullback::test {

namespace {

using Tensors = std::vector<Tensor>;

/// Newton's iteration for the square root of x, until it stands.
Tensors newton_start(const Tensor& x) {
  return {x, x * 0.0};
}
Tensor still_moving(const Tensors& c) {
  return max(abs(c[0] - c[1])) > 1e-9;
}

std::size_t kernels_of(const std::string& schedule) {
  std::size_t count = 0;
  for (std::size_t at = schedule.find("  call "); at != std::string::npos; at = schedule.find("  call ", at + 1))
    ++count;
  return count;
}

std::int64_t arena_of(const std::string& schedule) {
  const std::size_t at = schedule.find("arena ");
  return std::stoll(schedule.substr(at + 6));
}

}  // namespace

TEST_CASE("while_loop runs until its condition fails, with gradients when it is bounded", "[control][while]") {
  for (const DType dtype : {f32, f64}) {
    Graph g("newton");
    const Tensor x = g.input("x", dtype, {3});
    const double close = dtype == f64 ? 1e-12 : 1e-5;
    const LoopBody body = [&](const Tensors& c) { return Tensors{(c[0] + x / c[0]) * 0.5, c[0]}; };
    const LoopCondition moving = [&](const Tensors& c) {
      return dtype == f64 ? still_moving(c) : max(abs(c[0] - c[1])) > 1e-6;
    };
    const Tensor free = while_loop(newton_start(x), moving, body)[0];
    const Tensor bounded = while_loop(newton_start(x), moving, body, {.max_trips = 30})[0];
    const Tensor slope = gradients(sum(bounded), {x})[0];
    const Array at = dtype == f64 ? Array::from<double>({2, 9, 0.25}, {3}) : floats({2, 9, 0.25}, {3});
    for (const CompileOptions& options : {CompileOptions{}, reference()}) {
      const Outputs out = g.compile({free, bounded, slope}, options).step({{x, at}});
      for (std::size_t i = 0; i < 3; ++i) {
        const double root = std::sqrt(numbers(at)[i]);
        CHECK(std::fabs(numbers(out[0])[i] - root) < close * 4);
        CHECK(std::fabs(numbers(out[1])[i] - root) < close * 4);
        CHECK(std::fabs(numbers(out[2])[i] - 0.5 / root) < close * 40);
      }
    }
    const Tensor cut = while_loop(newton_start(x), moving, body, {.max_trips = 2})[0];
    Program program = g.compile({cut});
    CHECK_THAT(error_of([&] { program.step({{x, at}}); }),
               Catch::Contains("still holds after max_trips = 2") && Catch::Contains("test_loops.cpp"));
  }
}

TEST_CASE("A while_loop that never runs; one whose carries change places", "[control][while]") {
  Graph g("steps");
  const Tensor n = g.input("n", i32, {}), a = g.input("a", f32, {5}), b = g.input("b", f32, {5});
  const Tensors r = while_loop(
      {n, a, b}, [](const Tensors& c) { return c[0] > 0; },
      [](const Tensors& c) { return Tensors{c[0] - 1, c[2] + 1, c[1]}; });
  for (const CompileOptions& options : {CompileOptions{}, reference()}) {
    Program program = g.compile({r[1], r[2]}, options);
    for (const int count : {0, 1, 2, 3}) {
      const Outputs out = program.step(
          {{n, Array::scalar(count)}, {a, floats({1, 2, 3, 4, 5}, {5})}, {b, floats({10, 20, 30, 40, 50}, {5})}});
      std::vector<double> x{1, 2, 3, 4, 5}, y{10, 20, 30, 40, 50};
      for (int i = 0; i < count; ++i) {
        for (double& v : y) v += 1;
        std::swap(x, y);
      }
      CHECK(numbers(out[0]) == x);
      CHECK(numbers(out[1]) == y);
    }
  }
}

TEST_CASE("fori_loop gives the number of the iteration", "[control]") {
  Graph g("for");
  const Tensor x = g.input("x", f64, {4});
  const Tensor y =
      fori_loop(5, {x}, [](const Tensor& i, const Tensors& c) { return Tensors{c[0] * cast(i + 1, f64)}; })[0];
  const Tensor d = gradients(sum(y * y), {x})[0];
  check_equal(g, {y, d}, {x * 120.0, x * 28800.0}, {{x, random_array(f64, {4}, 1)}}, 1e-12);
  CHECK_THAT(error_of([&] { fori_loop(-1, {x}, [](const Tensor&, const Tensors& c) { return c; }); }),
             Catch::Contains("fori_loop: -1 trips"));
}

TEST_CASE("A check in a loop names the values of the iteration in which it fails", "[control]") {
  Graph g("checked");
  const Tensor x = g.input("x", i32, {4});
  const ScanResult r = scan({sum(x) * 0}, {x}, [](const Tensors& c, const Tensors& s) -> ScanResult {
    check(s[0] < 9, "{} is too large", {s[0]});
    return {{c[0] + s[0]}, {}};
  });
  for (const CompileOptions& options : {CompileOptions{}, reference()}) {
    Program program = g.compile({r.carry[0]}, options);
    CHECK(numbers(program.step({{x, ints({1, 2, 3, 4}, {4})}})[0]) == std::vector<double>{10});
    CHECK_THAT(error_of([&] { program.step({{x, ints({1, 2, 11, 4}, {4})}}); }), Catch::Contains("11 is too large"));
  }
}

TEST_CASE("A checkpoint has the same gradients and keeps less", "[control][checkpoint]") {
  const auto chain = [](Graph& g, bool checkpointed) {
    Tensor x = g.input("x", f32, {64, 64});
    const Tensor w = g.input("w", f32, {64, 64});
    const Body block = [&](const Tensors& a) {
      Tensor h = a[0];
      for (int i = 0; i < 4; ++i) h = sin(matmul(h, a[1]));
      return Tensors{h};
    };
    Tensor h = x;
    for (int i = 0; i < 8; ++i) h = (checkpointed ? checkpoint(block) : block)({h, w})[0];
    return gradients(sum(square(h)), {x, w});
  };
  Graph plain("plain"), kept("checkpointed");
  const Tensors expected = chain(plain, false), actual = chain(kept, true);
  Program a = kept.compile(actual), b = plain.compile(expected);
  const std::vector<Feed> feeds{{"x", random_array(f32, {64, 64}, 1)}, {"w", random_array(f32, {64, 64}, 2)}};
  const Outputs got = a.step(feeds), want = b.step(feeds);
  for (std::size_t i = 0; i < 2; ++i) check_close(got[i], want[i], 1e-4);
  // Of x alone: the parts of w's gradient take memory in both.
  Program narrow_a = kept.compile({actual[0]}), narrow_b = plain.compile({expected[0]});
  narrow_a.step(feeds);
  narrow_b.step(feeds);
  const std::int64_t less = arena_of(narrow_a.dump(Stage::schedule)), all = arena_of(narrow_b.dump(Stage::schedule));
  INFO(less << " bytes with checkpoints, " << all << " without");
  CHECK(2 * less < all);
}

TEST_CASE("A checkpointed body in a scan saves only its operands", "[control][checkpoint]") {
  for (const DType dtype : {f32, f64}) {
    Graph g("remat");
    const Tensor x = g.input("x", dtype, {6, 3}), w = g.input("w", dtype, {3, 3}), h = g.input("h", dtype, {3});
    const Body step = [](const Tensors& a) { return Tensors{tanh(matmul(sin(a[0]), a[2]) + exp(a[1] * 0.1))}; };
    const auto loss = [&](const Body& body) {
      const ScanResult r = scan({h}, {x}, [&](const Tensors& c, const Tensors& s) -> ScanResult {
        const Tensor next = body({c[0], s[0], w})[0];
        return {{next}, {next}};
      });
      return gradients(sum(square(r.ys[0])), {x, w, h});
    };
    check_equal(
        g, loss(checkpoint(step)), loss(step),
        {{x, random_array(dtype, {6, 3}, 1)}, {w, random_array(dtype, {3, 3}, 2)}, {h, random_array(dtype, {3}, 3)}},
        10 * tolerance_of(dtype));
  }
}

TEST_CASE("Loops stay loops: 512 steps have the kernels of 8, in training too", "[control][schedule]") {
  const auto schedule = [](std::int64_t length) {
    Graph g("lstm");
    const Tensor x = g.input("x", f32, {length, 4, 8});
    const RecurrentWeights w{g.parameter("w_ih", {64, 8}, Initializer::xavier()),
                             g.parameter("w_hh", {64, 16}, Initializer::xavier()),
                             g.parameter("b_ih", {64}),
                             g.parameter("b_hh", {64}),
                             {}};
    const Tensor loss = mean(square(lstm(x, {w}).h));
    Trainer trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0.1}});
    Program program = trainer.program();
    program.step({{x, random_array(f32, {length, 4, 8}, 1)}});
    return program.dump(Stage::schedule);
  };
  const std::string few = schedule(8), many = schedule(512);
  INFO(few);
  // Long sums over all steps may be taken in two stages: the gradients of the weights and that of the biases.
  CHECK(kernels_of(many) <= kernels_of(few) + 3);
  CHECK(few.find("loop #1 < 8") != std::string::npos);
  CHECK(many.find("loop #1 < 512") != std::string::npos);
  CHECK(many.find("loop #2") == std::string::npos);
}

TEST_CASE("Dropout in a loop: new masks in each iteration, the same in the gradient", "[control][random]") {
  Graph g("dropout", {.seed = 11});
  const Tensor w = g.parameter("w", {64}, Initializer::constant(1));
  const ScanResult r = scan({w * 0.0}, {},
                            [&](const Tensors& c, const Tensors&) -> ScanResult {
                              const Tensor y = dropout(w, 0.5);
                              return {{c[0] + y}, {y}};
                            },
                            {.length = 6});
  // d(sum of squares)/dw = 2 * (sum of masked w, each times its own scale): with w = 1, 2 * sum of y * y.
  const Tensor loss = sum(square(r.ys[0]));
  Trainer trainer(g, {.loss = loss, .optimizer = SGD{.lr = 0.25}, .metrics = {{"ys", sum(r.ys[0])}}});
  const Outputs out = trainer.program().step({});
  const double total = numbers(out["ys"])[0];
  CHECK(total > 200);  // 384 in the mean
  CHECK(total < 568);
  // Each kept element is 2, and its square's gradient 8: w falls by 0.25 * 8 = 2 for each of its iterations.
  double fallen = 0;
  bool differ = false;
  const std::vector<double> after = numbers(trainer.program().get(w));
  for (const double v : after) {
    fallen += 1 - v;
    differ = differ || (v != 1 && v != 1 - 12);  // not the same mask in all six iterations
  }
  CHECK(std::fabs(fallen - total) < 1e-3);
  CHECK(differ);
}

}  // namespace pullback::test
