// Initial values that are computed while a graph is traced: there when somebody can read them, and the same.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <vector>

#include <pullback/pullback.h>

#include "compiler/frontend/first_values.h"

using namespace pullback;

TEST_CASE("what is put off is done when it is finished", "[first-values]") {
  for (int round = 0; round < 20; ++round) {
    detail::FirstValues values;
    std::atomic<int> done = 0;
    for (int i = 0; i < round; ++i) values.add([&] { ++done; });
    values.finish();
    CHECK(done == round);
    values.add([&] { ++done; });  // at once: others may read by now
    CHECK(done == round + 1);
    values.finish();
  }
}

TEST_CASE("large parameters have their values when the state is asked for", "[first-values]") {
  const auto values_of = [](bool early) {
    Graph graph("net", {.seed = 7});
    if (early) CHECK(graph.state()->size() == 0);  // from here on nothing is put off
    for (const char* name : {"a", "b", "c"}) graph.parameter(name, {300, 300}, Initializer::uniform(-1, 1));
    graph.parameter("d", {200, 200}, Initializer::normal(0, 1), f64);
    std::vector<std::vector<double>> values;
    for (const State::Entry& entry : graph.state()->entries()) {
      Array array = entry.value;
      const auto keep = [&](auto span) { values.emplace_back(span.begin(), span.end()); };
      if (array.dtype() == f64)
        keep(array.values<double>());
      else
        keep(array.values<float>());
    }
    return values;
  };
  const auto later = values_of(false);
  CHECK(later == values_of(true));
  for (const auto& values : later) CHECK(std::count(values.begin(), values.end(), 0.0) < 2);
}

TEST_CASE("arrays that are filled in pieces have the numbers of their positions", "[first-values]") {
  // Pieces of 2 MiB end at other elements of the two types; an f32 is the f64 rounded once.
  constexpr std::int64_t kCount = 700'001;
  for (const Initializer& initializer :
       {Initializer::uniform(-1, 3), Initializer::normal(1, 2), Initializer::constant(0.7)}) {
    const auto draw = [&](DType dtype, std::int64_t count) {
      Graph graph("net", {.seed = 3});
      graph.parameter("w", {count}, initializer, dtype);
      return graph.state()->get("w");
    };
    Array single = draw(f32, kCount), wide = draw(f64, kCount), few = draw(f32, 100);
    const auto floats = single.values<float>();
    const auto doubles = wide.values<double>();
    CHECK(std::equal(floats.begin(), floats.end(), doubles.begin(),
                     [](float a, double b) { return a == static_cast<float>(b); }));
    const auto first = few.values<float>();
    CHECK(std::equal(first.begin(), first.end(), floats.begin()));
  }
}

TEST_CASE("programs find the values of large parameters, whoever asks first", "[first-values]") {
  enum class First { state, program, step };
  const auto run = [](First first) {
    Graph graph("net", {.seed = 5});
    std::vector<Tensor> squares;
    for (const char* name : {"a", "b", "c", "d"})
      squares.push_back(mean(square(graph.parameter(name, {500, 700}, Initializer::uniform(-1, 1)))));
    if (first == First::state) graph.state();
    Trainer trainer(graph, {.loss = squares[0] + squares[1] + squares[2] + squares[3], .optimizer = SGD{.lr = 0.5}});
    Program& program = trainer.program();
    std::vector<float> values;
    const auto keep = [&] {
      const Array last = program.get("d");
      values.insert(values.end(), last.values<float>().begin(), last.values<float>().end());
    };
    if (first == First::program) keep();
    values.push_back(static_cast<float>(program.step()["loss"].item()));
    keep();
    return values;
  };
  const std::vector<float> expected = run(First::state), early = run(First::program);
  CHECK(run(First::step) == expected);
  CHECK(std::equal(expected.begin(), expected.end(), early.end() - static_cast<std::ptrdiff_t>(expected.size())));
  CHECK(std::count(early.begin(), early.end(), 0.0F) < 10);
}
