// Times contractions beside OpenBLAS and oneDNN, where they are installed, and beside the machine's peak:
//   bench_contractions [--threads N] [--benchmark_filter=REGEX] ... (Google Benchmark's options)
// Each iteration is a round: a burst of the peak, and for each library calls of the compiled program and calls of the
// library. Reported are medians over the rounds: GFLOP/s of all, the percentage of the peak in the same round, and the
// ratio to the better library within a pair (above 1 Pullback is ahead) with its 95 % confidence interval. All read the
// same matrices as they lie; nobody packs beforehand.
//
// A name is LAYOUT/MxNxK[/bBATCH]: N a row-major operand, T a transposed one, first A then B.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <pullback/pullback.h>

#include "tests/bench/libraries.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"

namespace pb = pullback;

namespace {

struct Shape {
  const char* layout;
  int m, n, k;
  int batch = 1;

  bool operator==(const Shape& other) const { return name() == other.name(); }
  bool transposed(int operand) const { return layout[operand] == 'T'; }
  std::string name() const {
    std::string name =
        std::string(layout) + "/" + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    return batch > 1 ? name + "/b" + std::to_string(batch) : name;
  }
};

pb::Array random_floats(std::vector<std::int64_t> dims) {
  pb::Array array(pb::f32, std::move(dims));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& value : array.values<float>()) value = normal(random);
  return array;
}

/// One product, compiled and bound.
struct Product {
  Shape shape;
  pb::Array a, b;
  std::unique_ptr<pb::Graph> graph;
  pb::Program program;
  std::unique_ptr<pb::BoundStep> bound;

  Product(const Shape& s, int threads)
      : shape(s),
        a(random_floats(dims(s, s.transposed(0) ? s.k : s.m, s.transposed(0) ? s.m : s.k))),
        b(random_floats(dims(s, s.transposed(1) ? s.n : s.k, s.transposed(1) ? s.k : s.n))),
        graph(std::make_unique<pb::Graph>("product")) {
    const pb::Tensor x = graph->input("a", pb::f32, symbols(a)), y = graph->input("b", pb::f32, symbols(b));
    const pb::Tensor c = pb::matmul(s.transposed(0) ? pb::transpose(x) : x, s.transposed(1) ? pb::transpose(y) : y);
    program = graph->compile({c}, {.threads = threads});
    bound = std::make_unique<pb::BoundStep>(program.bind({{"a", a}, {"b", b}}));
  }

  static std::vector<std::int64_t> dims(const Shape& s, int rows, int columns) {
    if (s.batch == 1) return {rows, columns};
    return {s.batch, rows, columns};
  }
  static std::vector<pb::Dim> symbols(const pb::Array& array) {
    return std::vector<pb::Dim>(array.dims().begin(), array.dims().end());
  }

  double flops() const { return 2.0 * shape.batch * shape.m * shape.n * shape.k; }

  std::vector<pb::bench::Peer> libraries(std::vector<float>& c) const {
    const pb::bench::ProductSizes sizes{shape.transposed(0), shape.transposed(1), shape.m, shape.n, shape.k,
                                        shape.batch};
    const pb::bench::ProductData data{a.values<float>().data(), b.values<float>().data(), c.data()};
    std::vector<pb::bench::Peer> all;
    if (auto peer = pb::bench::openblas_product(sizes, data)) all.push_back(std::move(*peer));
    if (auto peer = pb::bench::onednn_product(sizes, data)) all.push_back(std::move(*peer));
    return all;
  }
};

void measure(benchmark::State& state, const Shape& shape, int threads) {
  Product product(shape, threads);
  std::vector<float> c(static_cast<std::size_t>(shape.batch) * static_cast<std::size_t>(shape.m) *
                       static_cast<std::size_t>(shape.n));
  product.bound->step();
  const std::span<const float> ours = product.bound->outputs()[0].values<float>();
  const std::vector<pb::bench::Peer> libraries = product.libraries(c);
  for (const pb::bench::Peer& library : libraries) {
    library.call();
    pb::bench::require_equal(ours, c, library.name);
  }
  pb::bench::Comparison comparison([&] { product.bound->step(); }, libraries, threads);
  for (auto _ : state) state.SetIterationTime(comparison.round());
  pb::bench::report(state, shape.name(), comparison, product.flops());
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int n : {8,   9,   16,  17,  24,  31,  32,  48,  63,  64,   96,   100,  101, 128,
                129, 192, 255, 256, 333, 384, 512, 513, 768, 1000, 1023, 1024, 2048})
    all.push_back({"NN", n, n, n});
  for (const char* layout : {"NT", "TN", "TT"})
    for (int n : {8, 17, 32, 64, 100, 256, 333, 512, 1024, 2048}) all.push_back({layout, n, n, n});
  // Layers: forward, the gradient of their input (NT) and of their weight (TN).
  for (const auto& [batch, out, in] : {std::tuple(128, 512, 784),
                                       {128, 512, 512},
                                       {128, 10, 512},
                                       {256, 4096, 4096},
                                       {256, 1024, 4096},
                                       {2048, 768, 256},
                                       {64, 1000, 2048}}) {
    for (const Shape& s :
         {Shape{"NN", batch, out, in}, {"NT", batch, out, in}, {"NT", batch, in, out}, {"TN", in, out, batch}})
      if (std::find(all.begin(), all.end(), s) == all.end()) all.push_back(s);  // square ones repeat
  }
  // Skinny: few rows, few columns, little or much depth.
  for (const Shape& s :
       {Shape{"NN", 4, 1024, 1024}, {"NN", 16, 1024, 1024}, {"NN", 1024, 4, 1024},  {"NN", 1024, 16, 1024},
        {"NN", 1024, 1024, 4},      {"NN", 1024, 1024, 16}, {"NN", 4096, 256, 8},   {"NN", 300, 700, 5},
        {"NN", 32, 32, 8192},       {"TN", 64, 64, 16384},  {"NT", 16, 1024, 1024}, {"TN", 16, 1024, 1024},
        {"TT", 16, 1024, 1024},     {"NT", 1024, 16, 1024}, {"TN", 1024, 16, 1024}, {"TT", 1024, 16, 1024},
        {"TN", 1024, 1024, 16},     {"NT", 32, 32, 8192},   {"NN", 10000, 10, 100}, {"NT", 10, 10, 4096},
        {"NT", 4, 1000, 512},       {"NT", 4, 4, 4096},     {"NN", 3136, 256, 64},  {"NN", 7, 333, 50}})
    all.push_back(s);
  // A vector and a matrix: on either side, which lies either way.
  for (const auto& [n, k] : {std::pair(64, 64), {512, 512}, {2048, 2048}, {4096, 1024}, {1000, 333}}) {
    all.push_back({"NN", 1, n, k});
    all.push_back({"NT", 1, n, k});
    all.push_back({"NN", n, 1, k});
    all.push_back({"TN", n, 1, k});
  }
  for (const char* layout : {"NN", "NT", "TN"}) {
    all.push_back({layout, 16, 16, 16, 64});
    all.push_back({layout, 64, 64, 32, 48});
    all.push_back({layout, 64, 32, 64, 48});
    all.push_back({layout, 128, 128, 64, 24});
    all.push_back({layout, 33, 17, 65, 40});
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  return pb::bench::run_benchmarks(argc, argv, [&](int threads) {
    pb::bench::describe_peers({pb::bench::start_openblas(threads), pb::bench::start_onednn(threads)}, threads);
    for (const Shape& shape : shapes()) {
      const double flops = 2.0 * shape.batch * shape.m * shape.n * shape.k;
      benchmark::RegisterBenchmark(shape.name().c_str(),
                                   [shape, threads](benchmark::State& state) { measure(state, shape, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(flops > 1e9   ? 12
                       : flops > 1e8 ? 25
                                     : 60);
    }
  });
}
