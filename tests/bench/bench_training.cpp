// Times whole training steps (forward, loss, backward, optimizer; f32) with buffers bound once:
//   bench_training [--threads N] [WORKLOAD...]
// Prints a line for each workload: median and minimum of a step in microseconds, and what compiling it took by stage.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <pullback/pullback.h>

namespace pb = pullback;

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 2.0;  // timed, for each workload

pb::Array random_floats(std::vector<std::int64_t> dims) {
  pb::Array array(pb::f32, std::move(dims));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& value : array.values<float>()) value = normal(random);
  return array;
}

struct Workload {
  pb::Trainer trainer;
  std::vector<pb::Feed> inputs;
};

// 784-512-512-10 with relu and cross-entropy.
Workload mlp(std::int64_t batch, const pb::Optimizer& optimizer, const pb::CompileOptions& compile) {
  pb::Graph g("mlp");
  pb::Tensor x = g.input("x", pb::f32, {batch, 784});
  pb::Tensor y = g.input("y", pb::i32, {batch});
  pb::Tensor h1 = pb::relu(pb::nn::linear(x, 512, "fc1"));
  pb::Tensor h2 = pb::relu(pb::nn::linear(h1, 512, "fc2"));
  pb::Tensor loss = pb::cross_entropy(pb::nn::linear(h2, 10, "fc3"), y);
  pb::Array labels(pb::i32, {batch});
  for (std::int64_t i = 0; i < batch; ++i) labels.values<std::int32_t>()[static_cast<std::size_t>(i)] = i % 10;
  return {pb::Trainer(g, {.loss = loss, .optimizer = optimizer, .compile = compile}),
          {{"x", random_floats({batch, 784})}, {"y", labels}}};
}

// XOR: 2-8-1 with tanh and mean squared error, four examples.
Workload tiny(const pb::CompileOptions& compile) {
  pb::Graph g("tiny");
  pb::Tensor x = g.input("x", pb::f32, {4, 2});
  pb::Tensor y = g.input("y", pb::f32, {4, 1});
  pb::Tensor hidden = pb::tanh(pb::nn::linear(x, 8, "hidden"));
  pb::Tensor loss = pb::mse(pb::nn::linear(hidden, 1, "out"), y);
  return {pb::Trainer(g, {.loss = loss, .optimizer = pb::SGD{.lr = 0.1}, .compile = compile}),
          {{"x", pb::Array::from(std::vector<float>{0, 0, 0, 1, 1, 0, 1, 1}, {4, 2})},
           {"y", pb::Array::from(std::vector<float>{0, 1, 1, 0}, {4, 1})}}};
}

using Make = std::function<Workload(const pb::CompileOptions&)>;

const std::map<std::string, Make>& workloads() {
  static const std::map<std::string, Make> all = {
      {"tiny_b1", [](const auto& compile) { return tiny(compile); }},
      {"mlp_b1", [](const auto& compile) { return mlp(1, pb::SGD{.lr = 1e-3}, compile); }},
      {"mlp_b128", [](const auto& compile) { return mlp(128, pb::Adam{.lr = 1e-4}, compile); }},
  };
  return all;
}

double microseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

void run(const std::string& name, const Make& make, const pb::CompileOptions& compile) {
  const Clock::time_point start = Clock::now();
  Workload workload = make(compile);
  pb::BoundStep bound = workload.trainer.program().bind(workload.inputs);
  bound.step();
  const double first_step = microseconds(start, Clock::now()) / 1000;
  for (const Clock::time_point warm = Clock::now(); microseconds(warm, Clock::now()) < 3e5;) bound.step();
  // Steps shorter than 10 us are timed several at once, lest the clock's own cost be measured.
  const Clock::time_point trial = Clock::now();
  bound.step();
  const int repeat = std::max(1, static_cast<int>(10 / std::max(0.01, microseconds(trial, Clock::now()))));
  std::vector<double> times;
  for (const Clock::time_point begin = Clock::now(); microseconds(begin, Clock::now()) < kSeconds * 1e6;) {
    const Clock::time_point before = Clock::now();
    for (int i = 0; i < repeat; ++i) bound.step();
    times.push_back(microseconds(before, Clock::now()) / repeat);
  }
  std::sort(times.begin(), times.end());
  std::printf("%-10s median %9.2f us, minimum %9.2f us; first step after %.1f ms:", name.c_str(),
              times[times.size() / 2], times.front(), first_step);
  for (const pb::StageTime& stage : workload.trainer.program().compile_times())
    std::printf(" %s %.1f", stage.stage.c_str(), stage.milliseconds);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    pb::CompileOptions compile{.threads = 1};
    std::vector<std::string> names;
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
        compile.threads = std::atoi(argv[++i]);
      else
        names.emplace_back(argv[i]);
    }
    if (names.empty())
      for (const auto& [name, make] : workloads()) names.push_back(name);
    for (const std::string& name : names) {
      const auto found = workloads().find(name);
      if (found == workloads().end()) throw pb::Error("no workload is called " + name);
      run(name, found->second, compile);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_training: %s\n", e.what());
    return 1;
  }
}
