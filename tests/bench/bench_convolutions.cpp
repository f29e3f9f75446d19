// Times convolutions, forward and both gradients, and pooling:
//   bench_convolutions [--channels-last] [--threads N] [--benchmark_filter=REGEX] ... (Google Benchmark's options)
// Each iteration is a round: a burst of the peak, then calls of the compiled program and of oneDNN, where it is
// installed. oneDNN gets its operands in the memory layouts that it prefers, and is not charged for bringing them
// there. Operands are arguments and results of the program, and so lie with the channels first; within a network they
// rarely do: with --channels-last images are given, and wanted, as they lie there. Reported are medians over the
// rounds: GFLOP/s, products with padding not counted, the percentage of the peak in the same round, and the ratio to
// oneDNN within a pair (above 1 Pullback is ahead) with its 95 % confidence interval; all of it for the whole call and,
// where the name begins with "kernel.", without what only moves operands into other layouts, as for oneDNN. For pooling
// GB/s of operands and results.
//
// A name is PASS/CHANNELS_IN-CHANNELS_OUT/HEIGHTxWIDTH/kKERNEL[/sSTRIDE][/dDILATION][/gGROUPS]/bBATCH.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <pullback/pullback.h>

#include "tests/bench/convolution_sizes.h"
#include "tests/bench/libraries.h"
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

pb::Tensor input(pb::Graph& g, const std::string& name, const pb::Array& array) {
  return g.input(name, pb::f32, std::vector<pb::Dim>(array.dims().begin(), array.dims().end()));
}

using pb::bench::Pass;

/// Are images [N,H,W,C] for Pullback?
bool channels_last = false;

/// [N,C,H,W] from how images are given, or back.
pb::Tensor channels_first(const pb::Tensor& x) {
  return channels_last ? pb::permute(x, {0, 3, 1, 2}) : x;
}
pb::Tensor as_given(const pb::Tensor& x) {
  return channels_last ? pb::permute(x, {0, 2, 3, 1}) : x;
}
std::vector<std::int64_t> dims_as_given(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return channels_last ? std::vector{n, h, w, c} : std::vector{n, c, h, w};
}

/// The elements of images of `channels` in the other order.
std::vector<float> with_channels_moved(std::span<const float> images, std::int64_t channels, std::int64_t pixels,
                                       bool to_last) {
  std::vector<float> moved(images.size());
  const auto each = static_cast<std::size_t>(channels * pixels), c = static_cast<std::size_t>(channels),
             p = static_cast<std::size_t>(pixels);
  for (std::size_t image = 0; image < images.size(); image += each)
    for (std::size_t i = 0; i < c; ++i)
      for (std::size_t j = 0; j < p; ++j) {
        const std::size_t first = image + i * p + j, last = image + j * c + i;
        moved[to_last ? last : first] = images[to_last ? first : last];
      }
  return moved;
}

const char* name_of(Pass pass) {
  constexpr const char* kNames[] = {"forward", "input", "kernel"};
  return kNames[static_cast<int>(pass)];
}

struct Convolution : pb::bench::ConvolutionSizes {
  std::string name(Pass pass) const {
    std::ostringstream text;
    text << name_of(pass) << "/" << in << "-" << out << "/" << height << "x" << width << "/k" << kernel;
    if (stride > 1) text << "/s" << stride;
    if (dilation > 1) text << "/d" << dilation;
    if (groups > 1) text << "/g" << groups;
    text << "/b" << batch;
    return text.str();
  }
  std::vector<std::int64_t> x_dims() const { return dims_as_given(batch, in, height, width); }
  std::vector<std::int64_t> y_dims() const { return dims_as_given(batch, out, result(height), result(width)); }

  pb::Program compile(Pass pass, int threads) const {
    const pb::CompileOptions options{.threads = threads, .profile = true};
    pb::Graph g("convolution");
    const auto images = [&](const char* name, const std::vector<std::int64_t>& dims) {
      return g.input(name, pb::f32, std::vector<pb::Dim>(dims.begin(), dims.end()));
    };
    const pb::Tensor x = images("x", x_dims()), w = g.input("w", pb::f32, {out, in / groups, kernel, kernel});
    const pb::Tensor y = as_given(pb::conv2d(
        channels_first(x), w, {.stride = stride, .padding = padding(), .dilation = dilation, .groups = groups}));
    if (pass == Pass::forward) return g.compile({y}, options);
    const pb::Tensor dy = images("dy", y_dims());
    return g.gradient(pb::sum(y * dy), {pass == Pass::input_gradient ? x : w}).compile(options);
  }
};

/// A program and the inputs it reads.
struct Bound {
  pb::Array x, w, dy;
  pb::Program program;
  std::unique_ptr<pb::BoundStep> step;

  Bound(pb::Program made, const Convolution& c)
      : x(random_floats(c.x_dims())),
        w(random_floats({c.out, c.in / c.groups, c.kernel, c.kernel})),
        dy(random_floats(c.y_dims())),
        program(std::move(made)) {
    std::vector<pb::Feed> feeds;
    for (const std::string& name : program.input_names())
      feeds.emplace_back(name, name == "x" ? x : name == "w" ? w : dy);
    step = std::make_unique<pb::BoundStep>(program.bind(feeds));
  }
};

/// A line of a program's profile.
struct KernelTime {
  double microseconds = 0;
  int number = 0;    ///< in the order of their first calls
  std::string what;  ///< ops, joined by '+'

  bool has(const char* op) const { return what.find(op) != std::string::npos; }
};

std::vector<KernelTime> kernel_times(const pb::Program& program) {
  std::istringstream table(program.profile());
  std::vector<KernelTime> all;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    KernelTime kernel;
    double percent = 0, runs = 0, kib = 0;
    std::string name;
    if (!(words >> kernel.microseconds >> percent >> runs >> kib >> name >> kernel.what)) continue;
    kernel.number = std::atoi(name.c_str() + 1);
    all.push_back(kernel);
  }
  return all;
}

/// The share of the steps so far that was not spent on bringing operands into other layouts, padding included, before a
/// convolution, or on transposing its result. What joins the parts of a result is work of the convolution.
double convolution_share(const pb::Program& program) {
  const std::vector<KernelTime> kernels = kernel_times(program);
  int last = -1;
  for (const KernelTime& kernel : kernels)
    if (kernel.has("convolution")) last = std::max(last, kernel.number);
  double all = 0, counted = 0;
  for (const KernelTime& kernel : kernels) {
    const bool computes = kernel.has("convolution") || kernel.has("add");
    const bool moves = !computes && (kernel.number < last || kernel.what == "transpose");
    all += kernel.microseconds;
    if (!moves) counted += kernel.microseconds;
  }
  return all > 0 ? counted / all : 1;
}

void measure(benchmark::State& state, const Convolution& c, Pass pass, int threads) {
  Bound bound(c.compile(pass, threads), c);
  bound.step->step();
  std::vector<pb::bench::Peer> peers;
  const std::int64_t pixels = c.height * c.width, result_pixels = c.result(c.height) * c.result(c.width);
  const auto first = [](const pb::Array& images, std::int64_t channels, std::int64_t each) {
    const auto values = images.values<float>();
    return channels_last ? with_channels_moved(values, channels, each, false)
                         : std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> x = first(bound.x, c.in, pixels), dy = first(bound.dy, c.out, result_pixels);
  if (const auto onednn = pb::bench::onednn_convolution(c, pass, x.data(), bound.w.values<float>().data(), dy.data())) {
    onednn->peer.call();
    std::vector<float> theirs = onednn->result();
    if (channels_last && pass != Pass::kernel_gradient)
      theirs = pass == Pass::forward ? with_channels_moved(theirs, c.out, result_pixels, true)
                                     : with_channels_moved(theirs, c.in, pixels, true);
    pb::bench::require_equal(bound.step->outputs()[0].values<float>(), theirs, onednn->peer.name);
    peers.push_back(onednn->peer);
  }
  const double flop = bound.program.cost().flop_in_bounds;
  pb::bench::Comparison comparison([&] { bound.step->step(); }, peers, threads);
  for (auto _ : state) state.SetIterationTime(comparison.round());
  pb::bench::report(state, c.name(pass), comparison, flop, convolution_share(bound.program));
}

struct Pooling {
  std::int64_t batch, channels, size, kernel, stride;
};

void measure(benchmark::State& state, const Pooling& p, bool gradient, int threads) {
  pb::Graph g("pooling");
  const pb::Array xs = random_floats({p.batch, p.channels, p.size, p.size});
  const pb::Tensor x = input(g, "x", xs);
  const pb::Tensor y = pb::max_pool2d(x, p.kernel, {.stride = p.stride});
  const std::int64_t result = (p.size - p.kernel) / p.stride + 1;
  std::vector<pb::Feed> feeds{{"x", xs}};
  pb::Program program;
  if (gradient) {
    const pb::Array dys = random_floats({p.batch, p.channels, result, result});
    program = g.gradient(pb::sum(y * input(g, "dy", dys)), {x}).compile({.threads = threads});
    feeds.emplace_back("dy", dys);
  } else {
    program = g.compile({y}, {.threads = threads});
  }
  pb::BoundStep bound = program.bind(feeds);
  const auto work = [&] { bound.step(); };
  const int calls = pb::bench::repeats_for(work, kSampleSeconds);
  const auto elements = static_cast<double>(p.batch * p.channels);
  const double bytes = 4 * elements * static_cast<double>((gradient ? 2 : 1) * p.size * p.size + result * result);
  std::vector<double> rates;
  for (auto _ : state) {
    const double seconds = pb::bench::seconds_per_call(work, calls);
    rates.push_back(bytes / seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["GB/s"] = pb::bench::median_of(rates).value * 1e-9;
}

const std::vector<Convolution>& convolutions() {
  static const std::vector<Convolution> all = {
      // First layers.
      {64, 1, 32, 28, 28, 3},
      {64, 1, 32, 28, 28, 5},
      {16, 3, 16, 32, 32, 3},
      {16, 3, 64, 64, 64, 7, 2},
      {1, 3, 64, 224, 224, 7, 2},
      // 3x3, then with strides and dilation, 1x1, larger windows, grouped and depthwise.
      {64, 32, 64, 14, 14, 3},
      {16, 16, 16, 32, 32, 3},
      {16, 32, 32, 16, 16, 3},
      {16, 64, 64, 8, 8, 3},
      {2, 64, 64, 56, 56, 3},
      {1, 64, 64, 112, 112, 3},
      {8, 128, 128, 14, 14, 3},
      {4, 256, 256, 7, 7, 3},
      {8, 24, 40, 15, 17, 3},
      {16, 16, 32, 32, 32, 3, 2},
      {16, 64, 64, 16, 16, 3, 2},
      {8, 64, 64, 28, 28, 3, 1, 2},
      {8, 32, 64, 32, 32, 3, 2, 2},
      {16, 64, 64, 14, 14, 1},
      {16, 64, 256, 14, 14, 1},
      {16, 256, 64, 14, 14, 1},
      {16, 16, 32, 32, 32, 1, 2},
      {16, 32, 32, 16, 16, 5},
      {16, 32, 32, 16, 16, 7},
      {16, 64, 64, 16, 16, 3, 1, 1, 4},
      {16, 32, 32, 28, 28, 3, 1, 1, 32},
      {16, 128, 128, 14, 14, 5, 1, 1, 128},
      {16, 64, 64, 28, 28, 3, 2, 1, 64},
  };
  return all;
}

void register_all(int threads) {
  pb::bench::describe_peers({pb::bench::start_onednn(threads)}, threads);
  for (const Convolution& c : convolutions())
    for (const Pass pass : {Pass::forward, Pass::input_gradient, Pass::kernel_gradient})
      benchmark::RegisterBenchmark(c.name(pass).c_str(),
                                   [=](benchmark::State& state) { measure(state, c, pass, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(25);
  for (const Pooling& p : {Pooling{64, 32, 28, 2, 2}, {64, 64, 14, 2, 2}, {16, 64, 32, 3, 2}, {16, 64, 32, 3, 1}})
    for (const bool gradient : {false, true}) {
      std::ostringstream name;
      name << "max_pool/" << (gradient ? "input" : "forward") << "/" << p.channels << "/" << p.size << "x" << p.size
           << "/k" << p.kernel << "/s" << p.stride << "/b" << p.batch;
      benchmark::RegisterBenchmark(name.str().c_str(),
                                   [=](benchmark::State& state) { measure(state, p, gradient, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(25);
    }
}

}  // namespace

int main(int argc, char** argv) {
  char** const last = std::remove_if(argv + std::min(argc, 1), argv + argc,
                                     [](const char* word) { return std::strcmp(word, "--channels-last") == 0; });
  channels_last = last != argv + argc;
  argc = static_cast<int>(last - argv);
  return pb::bench::run_benchmarks(argc, argv, register_all);
}
