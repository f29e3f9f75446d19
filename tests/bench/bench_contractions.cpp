// Times contractions beside OpenBLAS, where it is installed, and beside the machine's peak:
//   bench_contractions [--threads N] [--benchmark_filter=REGEX] ... (Google Benchmark's options)
// Each iteration is a round: a burst of the peak, calls of the compiled program, calls of OpenBLAS. Reported are
// medians over the rounds: GFLOP/s of both, the percentage of the peak in the same round, the ratio of the two in the
// same round (above 1 Pullback is ahead) with the lower bound of its 95 % confidence interval.
//
// A name is LAYOUT/MxNxK[/bBATCH]: N a row-major operand, T a transposed one, first A then B.
#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <pullback/pullback.h>

#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"

namespace pb = pullback;

namespace {

constexpr double kSampleSeconds = 300e-6;
// Idle threads of one library wait actively for a while and take cores from the other; and the system takes a while to
// find a core for each of the other's. So much of each goes before a sample of several threads.
constexpr double kSettleSeconds = 50e-3;

/// OpenBLAS, opened at run time.
class Blas {
 public:
  explicit Blas(int threads) {
    // Set in some environments to make it portable, they take half of its speed.
    unsetenv("OPENBLAS_CORETYPE");
    unsetenv("OPENBLAS_L2_SIZE");
    void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    gemm_ = reinterpret_cast<Gemm>(dlsym(library, "cblas_sgemm"));
    gemv_ = reinterpret_cast<Gemv>(dlsym(library, "cblas_sgemv"));
    if (const auto set = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"))) set(threads);
    if (const auto config = reinterpret_cast<const char* (*)()>(dlsym(library, "openblas_get_config")))
      name_ = config();
  }
  bool installed() const { return gemm_ && gemv_; }
  const char* name() const { return installed() ? name_ : "OpenBLAS is not installed"; }

  /// C[m,n] = op(A) op(B), row-major; as a product with a vector where one of m, n is 1.
  void multiply(bool ta, bool tb, int m, int n, int k, const float* a, const float* b, float* c) const {
    constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
    const int lda = ta ? m : k, ldb = tb ? k : n;
    if (n == 1)
      gemv_(kRowMajor, ta ? kTransposed : kPlain, ta ? k : m, ta ? m : k, 1, a, lda, b, 1, 0, c, 1);
    else if (m == 1)
      gemv_(kRowMajor, tb ? kPlain : kTransposed, tb ? n : k, tb ? k : n, 1, b, ldb, a, 1, 0, c, 1);
    else
      gemm_(kRowMajor, ta ? kTransposed : kPlain, tb ? kTransposed : kPlain, m, n, k, 1, a, lda, b, ldb, 0, c, n);
  }

 private:
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  using Gemv = void (*)(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  Gemm gemm_ = nullptr;
  Gemv gemv_ = nullptr;
  const char* name_ = "OpenBLAS";
};

struct Shape {
  const char* layout;
  int m, n, k;
  int batch = 1;

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

  void run(const Blas& blas, std::vector<float>& c) const {
    for (int i = 0; i < shape.batch; ++i) {
      const auto at = [&](int rows, int columns) { return static_cast<std::size_t>(i) * rows * columns; };
      blas.multiply(shape.transposed(0), shape.transposed(1), shape.m, shape.n, shape.k,
                    a.values<float>().data() + at(shape.m, shape.k), b.values<float>().data() + at(shape.k, shape.n),
                    c.data() + at(shape.m, shape.n));
    }
  }
};

void measure(benchmark::State& state, const Shape& shape, const Blas& blas, int threads) {
  Product product(shape, threads);
  std::vector<float> c(static_cast<std::size_t>(shape.batch) * static_cast<std::size_t>(shape.m) *
                       static_cast<std::size_t>(shape.n));
  const auto ours = [&] { product.bound->step(); };
  const auto theirs = [&] { product.run(blas, c); };
  const int our_calls = pb::bench::repeats_for(ours, kSampleSeconds);
  const int their_calls = blas.installed() ? pb::bench::repeats_for(theirs, kSampleSeconds) : 0;
  const int settle =
      static_cast<int>(kSettleSeconds /
                       std::max(kSampleSeconds, pb::bench::seconds_per_call(ours, our_calls) * our_calls)) +
      1;
  std::vector<double> our_flops, their_flops, peaks, ratios;
  for (auto _ : state) {
    if (threads > 1) pb::bench::seconds_per_call(ours, settle * our_calls);
    const double peak = pb::bench::peak_flops() * threads;
    const double seconds = pb::bench::seconds_per_call(ours, our_calls);
    our_flops.push_back(product.flops() / seconds);
    if (peak > 0) peaks.push_back(100 * our_flops.back() / peak);
    if (their_calls) {
      if (threads > 1) pb::bench::seconds_per_call(theirs, settle * their_calls);
      their_flops.push_back(product.flops() / pb::bench::seconds_per_call(theirs, their_calls));
      ratios.push_back(our_flops.back() / their_flops.back());
    }
    state.SetIterationTime(seconds);
  }
  state.counters["GFLOP/s"] = pb::bench::median_of(our_flops).value * 1e-9;
  if (!peaks.empty()) state.counters["%peak"] = pb::bench::median_of(peaks).value;
  if (ratios.empty()) return;
  const pb::bench::Median ratio = pb::bench::median_of(ratios);
  state.counters["OpenBLAS"] = pb::bench::median_of(their_flops).value * 1e-9;
  state.counters["ratio"] = ratio.value;
  state.counters["ratio_low"] = ratio.low;
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int n : {8, 16, 24, 32, 48, 64, 96, 100, 128, 192, 256, 333, 384, 512, 768, 1000, 1024, 2048})
    all.push_back({"NN", n, n, n});
  for (const char* layout : {"NT", "TN", "TT"})
    for (int n : {32, 64, 100, 256, 333, 512, 1024, 2048}) all.push_back({layout, n, n, n});
  // Layers: forward, the gradient of their input (NT) and of their weight (TN).
  for (const auto& [batch, out, in] : {std::tuple(128, 512, 784),
                                       {128, 512, 512},
                                       {128, 10, 512},
                                       {256, 4096, 4096},
                                       {256, 1024, 4096},
                                       {2048, 768, 256},
                                       {64, 1000, 2048}}) {
    all.push_back({"NN", batch, out, in});
    all.push_back({"NT", batch, out, in});
    all.push_back({"NT", batch, in, out});
    all.push_back({"TN", in, out, batch});
  }
  // Skinny: few rows, few columns, little or much depth.
  for (const Shape& s : {Shape{"NN", 4, 1024, 1024},
                         {"NN", 16, 1024, 1024},
                         {"NN", 1024, 4, 1024},
                         {"NN", 1024, 16, 1024},
                         {"NN", 1024, 1024, 4},
                         {"NN", 1024, 1024, 16},
                         {"NN", 32, 32, 8192},
                         {"TN", 64, 64, 16384},
                         {"NN", 10000, 10, 100},
                         {"NT", 10, 10, 4096},
                         {"NN", 7, 333, 50}})
    all.push_back(s);
  for (const auto& [n, k] : {std::pair(512, 512), {2048, 2048}, {4096, 1024}}) {
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
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  std::unique_ptr<Blas> blas;  // outlives what is added
  return pb::bench::run_benchmarks(argc, argv, [&](int threads) {
    blas = std::make_unique<Blas>(threads);
    std::fprintf(stderr, "beside: %s, %d thread(s)\n", blas->name(), threads);
    for (const Shape& shape : shapes()) {
      const double flops = 2.0 * shape.batch * shape.m * shape.n * shape.k;
      benchmark::RegisterBenchmark(
          shape.name().c_str(),
          [&blas = *blas, shape, threads](benchmark::State& state) { measure(state, shape, blas, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(flops > 1e9   ? 9
                       : flops > 1e8 ? 25
                                     : 60);
    }
  });
}
