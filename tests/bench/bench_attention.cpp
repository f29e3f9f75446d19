// Attention with and without the full matrix of scores: its forward pass, and the gradients of query, key and value.
//
//     build/tests/bench_attention --benchmark_filter=causal/.*
#include <cmath>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <pullback/pullback.h>

#include "tests/bench/run_benchmarks.h"

namespace {

using namespace pullback;

struct Sizes {
  std::int64_t batch, heads, length, features;
};
constexpr Sizes kSizes[] = {{8, 4, 128, 32}, {2, 4, 100, 40}, {1, 8, 512, 64}, {1, 2, 2048, 64}, {64, 4, 16, 32}};

Array numbers(const Sizes& n, double phase) {
  Array array(f32, {n.batch, n.heads, n.length, n.features});
  for (std::int64_t i = 0; i < array.size(); ++i)
    array.values<float>()[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i) + phase));
  return array;
}

// What attention is composed of when it keeps all scores.
Tensor composed(const Tensor& q, const Tensor& k, const Tensor& v, bool causal) {
  Tensor scores = matmul(q, transpose(k)) / std::sqrt(static_cast<double>(q.size(-1).constant()));
  if (causal) scores = where(tril(full_like(scores, 1)) > 0.0, scores, -1e30);
  return matmul(softmax(scores, -1), v);
}

struct Case {
  Sizes sizes;
  bool causal = false, blocks = false, gradient = false;
  int threads = 1;
};

void run(benchmark::State& state, const Case& c) {
  Graph g("attention");
  const Shape shape{c.sizes.batch, c.sizes.heads, c.sizes.length, c.sizes.features};
  Tensor q = g.input("q", f32, shape), k = g.input("k", f32, shape), v = g.input("v", f32, shape),
         d = g.input("d", f32, shape);
  const Tensor out =
      c.blocks ? scaled_dot_product_attention(q, k, v, {.causal = c.causal}) : composed(q, k, v, c.causal);
  std::vector<Feed> feeds{{"q", numbers(c.sizes, 0)}, {"k", numbers(c.sizes, 1)}, {"v", numbers(c.sizes, 2)}};
  std::vector<Tensor> outputs{out};
  if (c.gradient) {
    outputs = gradients(sum(out * d), {q, k, v});
    feeds.push_back({"d", numbers(c.sizes, 3)});
  }
  Program program = g.compile(outputs, {.threads = c.threads});
  BoundStep step = program.bind(feeds);
  step.step();
  for (auto _ : state) step.step();
  const double products = c.gradient ? 12 : 4;  // forward 2, backward 4, two operations each
  const double flop = products * static_cast<double>(c.sizes.batch * c.sizes.heads * c.sizes.length) *
                      static_cast<double>(c.sizes.length * c.sizes.features);
  state.counters["GFLOP/s"] = benchmark::Counter(flop * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  return pullback::bench::run_benchmarks(argc, argv, [](int threads) {
    for (const Sizes& n : kSizes)
      for (const bool causal : {false, true})
        for (const bool gradient : {false, true})
          for (const bool blocks : {true, false}) {
            const std::string name =
                fmt::format("{}/{}/{}x{}x{}x{}/{}", causal ? "causal" : "full", gradient ? "gradients" : "forward",
                            n.batch, n.heads, n.length, n.features, blocks ? "blocks" : "composed");
            benchmark::RegisterBenchmark(name.c_str(), run, Case{n, causal, blocks, gradient, threads})
                ->Unit(benchmark::kMicrosecond);
          }
  });
}
