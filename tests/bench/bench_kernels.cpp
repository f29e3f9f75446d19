// Times kernels that move data rather than compute, beside the memory bandwidth of the machine:
//   bench_kernels [--threads N] [--benchmark_filter=REGEX] ... (Google Benchmark's options)
// Reported are medians over the rounds: GB/s, counting each tensor that has to be read or written once, and the
// percentage of the bandwidth that a loop over as many bytes reaches in the same run.
#include <benchmark/benchmark.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include <pullback/pullback.h>

#include "tests/bench/machine.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"

namespace pb = pullback;

namespace {

constexpr double kSampleSeconds = 300e-6;

pb::Array random_floats(std::vector<std::int64_t> dims) {
  pb::Array array(pb::f32, std::move(dims));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& value : array.values<float>()) value = normal(random);
  return array;
}

pb::Array random_classes(std::vector<std::int64_t> dims, std::int32_t classes) {
  pb::Array array(pb::i32, std::move(dims));
  std::mt19937 random(1);
  for (std::int32_t& value : array.values<std::int32_t>())
    value = static_cast<std::int32_t>(random() % static_cast<unsigned>(classes));
  return array;
}

/// A program with its inputs, and how many floats it has to move.
struct Kernel {
  pb::Program program;
  std::vector<pb::Feed> inputs;
  double floats = 0;
};

struct Case {
  std::string name;
  std::function<Kernel(const pb::CompileOptions&)> make;
};

using Body = std::function<pb::Tensor(const pb::Tensor& x)>;

std::vector<pb::Dim> symbols(const std::vector<std::int64_t>& dims) {
  return std::vector<pb::Dim>(dims.begin(), dims.end());
}

double count(const std::vector<std::int64_t>& dims) {
  double product = 1;
  for (const std::int64_t d : dims) product *= static_cast<double>(d);
  return product;
}

/// y = body(x).
Case forward(const std::string& name, const std::vector<std::int64_t>& dims, double results, const Body& body) {
  return {name, [=](const pb::CompileOptions& options) {
            pb::Graph g("forward");
            const pb::Array x = random_floats(dims);
            const pb::Tensor y = body(g.input("x", pb::f32, symbols(dims)));
            return Kernel{g.compile({y}, options), {{"x", x}}, count(dims) + results};
          }};
}

/// The gradient of sum(body(x) * g) by x and by the vectors over the last axis that body takes.
Case backward(const std::string& name, const std::vector<std::int64_t>& dims,
              const std::function<pb::Tensor(const pb::Tensor& x, const pb::Tensor& a, const pb::Tensor& b)>& body) {
  return {name, [=](const pb::CompileOptions& options) {
            pb::Graph g("backward");
            const pb::Array x = random_floats(dims), out = random_floats(dims);
            const pb::Tensor in = g.input("x", pb::f32, symbols(dims)), dy = g.input("g", pb::f32, symbols(dims));
            const pb::Tensor a = g.parameter("a", {dims.back()}, pb::Initializer::ones());
            const pb::Tensor b = g.parameter("b", {dims.back()});
            const pb::Tensor loss = sum(body(in, a, b) * dy);
            return Kernel{g.gradient(loss, {in, a, b}).compile(options), {{"x", x}, {"g", out}}, 3 * count(dims)};
          }};
}

/// Weights that move along a gradient that is an input.
Case update(const std::string& name, std::int64_t size, double moved, const pb::Optimizer& optimizer) {
  return {name, [=](const pb::CompileOptions& options) {
            pb::Graph g("update");
            const pb::Array x = random_floats({size});
            const pb::Tensor loss = sum(g.parameter("w", {size}) * g.input("x", pb::f32, {size}));
            pb::Program program = pb::Trainer(g, {.loss = loss, .optimizer = optimizer, .compile = options}).program();
            return Kernel{std::move(program), {{"x", x}}, moved * static_cast<double>(size)};
          }};
}

Case embedding(std::int64_t ids, std::int64_t rows, std::int64_t width, bool gradient) {
  return {
      std::string(gradient ? "embedding_gradient/" : "embedding/") + std::to_string(ids) + "x" + std::to_string(width),
      [=](const pb::CompileOptions& options) {
        pb::Graph g("embedding");
        const pb::Array which = random_classes({ids}, static_cast<std::int32_t>(rows));
        const pb::Array out = random_floats({ids, width});
        const pb::Tensor table = g.parameter("table", {rows, width}, pb::Initializer::ones());
        const pb::Tensor y = pb::embedding(table, g.input("ids", pb::i32, {ids}));
        const double moved = 2.0 * static_cast<double>(ids * width);
        if (!gradient) return Kernel{g.compile({y}, options), {{"ids", which}}, moved};
        const pb::Tensor loss = sum(y * g.input("g", pb::f32, {ids, width}));
        return Kernel{g.gradient(loss, {table}).compile(options), {{"ids", which}, {"g", out}}, moved};
      }};
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::int64_t rows : {64, 4096}) {
    const std::vector<std::int64_t> dims{rows, 1024};
    const std::string size = "/" + std::to_string(rows) + "x1024";
    const double n = count(dims);
    all.push_back(forward("relu" + size, dims, n, [](const auto& x) { return relu(x); }));
    all.push_back(forward("polynomial" + size, dims, n, [](const auto& x) { return ((x * 0.5 + 1.0) * x - 2.0) * x; }));
    all.push_back(forward("tanh" + size, dims, n, [](const auto& x) { return tanh(x); }));
    all.push_back(forward("gelu" + size, dims, n, [](const auto& x) { return gelu(x); }));
    all.push_back(forward("transpose" + size, dims, n, [](const auto& x) { return pb::transpose(x) + 1.0; }));
    all.push_back(forward("sum_rows" + size, dims, 0, [](const auto& x) { return sum(x, {1}); }));
    all.push_back(forward("sum_columns" + size, dims, 0, [](const auto& x) { return sum(x, {0}); }));
    all.push_back(forward("sum_all" + size, dims, 0, [](const auto& x) { return sum(x); }));
    all.push_back(forward("max_columns" + size, dims, 0, [](const auto& x) { return max(x, {0}); }));
    all.push_back(forward("softmax" + size, dims, n, [](const auto& x) { return softmax(x); }));
    all.push_back(forward("log_softmax" + size, dims, n, [](const auto& x) { return log_softmax(x); }));
    all.push_back(forward("layer_norm" + size, dims, n, [](const auto& x) { return layer_norm(x, {1024}); }));
    all.push_back(backward("layer_norm_gradient" + size, dims,
                           [](const auto& x, const auto& a, const auto& b) { return layer_norm(x, {1024}, a, b); }));
    all.push_back(backward("tanh_affine_gradient" + size, dims,
                           [](const auto& x, const auto& a, const auto& b) { return tanh(a * x + b); }));
  }
  all.push_back(forward("sum_columns/4096x4096", {4096, 4096}, 0, [](const auto& x) { return sum(x, {0}); }));
  all.push_back(forward("sum_columns/100000x10", {100000, 10}, 0, [](const auto& x) { return sum(x, {0}); }));
  all.push_back(forward("sum_middle/32x256x256", {32, 256, 256}, 0, [](const auto& x) { return sum(x, {1}); }));
  all.push_back(
      forward("sum_channels/32x64x32x32", {32, 64, 32, 32}, 0, [](const auto& x) { return sum(x, {0, 2, 3}); }));
  all.push_back(forward("max_pool/32x64x32x32", {32, 64, 32, 32}, count({32, 64, 16, 16}),
                        [](const auto& x) { return pb::max_pool2d(x, 2); }));
  all.push_back(forward("avg_pool/32x64x32x32", {32, 64, 32, 32}, count({32, 64, 16, 16}),
                        [](const auto& x) { return pb::avg_pool2d(x, 2); }));
  for (const bool gradient : {false, true}) all.push_back(embedding(4096, 10000, 256, gradient));
  for (const std::int64_t size : {std::int64_t{65536}, std::int64_t{4194304}}) {
    const std::string name = "/" + std::to_string(size);
    all.push_back(update("sgd" + name, size, 3, pb::SGD{.lr = 1e-3}));
    all.push_back(update("momentum" + name, size, 5, pb::SGD{.lr = 1e-3, .momentum = 0.9}));
    all.push_back(update("adam" + name, size, 7, pb::Adam{.lr = 1e-3}));
  }
  return all;
}

void measure(benchmark::State& state, const Case& kernel_case, int threads) {
  Kernel kernel = kernel_case.make({.threads = threads});
  pb::BoundStep bound = kernel.program.bind(kernel.inputs);
  const auto step = [&] { bound.step(); };
  const int calls = pb::bench::repeats_for(step, kSampleSeconds);
  const double bytes = 4 * kernel.floats;
  std::vector<double> rates;
  for (auto _ : state) {
    const double seconds = pb::bench::seconds_per_call(step, calls);
    rates.push_back(bytes / seconds);
    state.SetIterationTime(seconds);
  }
  const double rate = pb::bench::median_of(rates).value;
  const double bandwidth = pb::bench::measure_bandwidth(static_cast<std::int64_t>(bytes), threads);
  state.counters["GB/s"] = rate * 1e-9;
  state.counters["%bandwidth"] = 100 * rate / bandwidth;
}

}  // namespace

int main(int argc, char** argv) {
  return pb::bench::run_benchmarks(argc, argv, [](int threads) {
    for (const Case& kernel : cases())
      benchmark::RegisterBenchmark(kernel.name.c_str(),
                                   [=](benchmark::State& state) { measure(state, kernel, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(15);
  });
}
