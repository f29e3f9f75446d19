// Times whole training steps (forward, loss, backward, optimizer) and inference with buffers bound once, and compares
// them with what the machine can do:
//   bench_training [--threads N] [--precision f32|bf16|f16] [--json FILE] [--profile] [--seconds S] [WORKLOAD...]
// "inference NAME" as a workload is the prediction alone; without names, all are run. The columns:
//   median, min   microseconds of a step
//   GFLOP         of products in the optimized graph, those with padding not counted
//                 (JSON: "flop"; "flop_nominal" with)
//   % peak        GFLOP / median over the machine's FMA peak, measured in this run
//   % roof        the least time that FLOP peak and memory allow, over the median. Memory: parameters and slots read
//                 once and, in training, written once, the inputs read; at the bandwidth measured for as many bytes
//                 in place
//   MiB           memory of values between kernels, at the peak of the step
//   cold, warm    milliseconds from the start of a process to the end of its first step, without and with its code in
//                 the cache on disk
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tests/bench/machine.h"
#include "tests/bench/workloads.h"

namespace pb = pullback;
namespace bench = pullback::bench;

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  int threads = 1;
  double seconds = 2;  ///< timed, for each workload
  bool profile = false, compile_times = true;
  pb::DType precision = pb::f32;
  std::string json, first_step;
  std::vector<std::string> names;
};

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

struct Job {
  std::string name;
  bool is_inference = false;
  const bench::Workload* workload = nullptr;
};

Job job_of(const std::string& name) {
  constexpr std::string_view kInference = "inference ";
  const bool inference = name.starts_with(kInference);
  return {name, inference, &bench::workload(inference ? name.substr(kInference.size()) : name)};
}

pb::Program program_of(const Job& job, const bench::Network& network, const Options& options) {
  const pb::CompileOptions compile{
      .threads = options.threads, .precision = options.precision, .profile = options.profile};
  return job.is_inference ? bench::inference(network, compile) : bench::training(network, compile);
}

struct Times {
  double median = 0, least = 0;  ///< microseconds
};

Times time_steps(pb::BoundStep& bound, double seconds) {
  for (const auto start = Clock::now(); microseconds_since(start) < 1.5e5 * seconds;) bound.step();
  // Steps shorter than 10 us are timed several at once, lest the clock's own cost be measured.
  const auto trial = Clock::now();
  bound.step();
  const int repeat = std::max(1, static_cast<int>(10 / std::max(0.01, microseconds_since(trial))));
  std::vector<double> times;
  for (const auto start = Clock::now(); times.size() < 3 || microseconds_since(start) < seconds * 1e6;) {
    const auto before = Clock::now();
    for (int i = 0; i < repeat; ++i) bound.step();
    times.push_back(microseconds_since(before) / repeat);
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.front()};
}

// Milliseconds that a new process of this program takes to its first step.
double first_step(const Job& job, const Options& options, const std::string& cache) {
  const std::string command = fmt::format("PULLBACK_CACHE_DIR='{}' '{}' --threads {} --precision {} --first-step '{}'",
                                          cache, std::filesystem::read_symlink("/proc/self/exe").string(),
                                          options.threads, pb::name_of(options.precision), job.name);
  std::FILE* pipe = popen(command.c_str(), "r");
  double milliseconds = 0;
  if (!pipe || std::fscanf(pipe, "%lf", &milliseconds) != 1) throw pb::Error("can't run " + command);
  pclose(pipe);
  return milliseconds;
}

void print_first_step(const Options& options, Clock::time_point start) {
  const Job job = job_of(options.first_step);
  const bench::Network network = job.workload->make();
  pb::Program program = program_of(job, network, options);
  program.bind(bench::inputs_of(program, network)).step();
  std::printf("%.3f\n", microseconds_since(start) / 1000);
}

struct CompileTimes {
  double cold = 0, warm = 0;
};

CompileTimes compile_times(const Job& job, const Options& options) {
  std::string folder = (std::filesystem::temp_directory_path() / "pullback-bench-XXXXXX").string();
  if (!mkdtemp(folder.data())) throw pb::Error("can't make a folder for the code cache: " + folder);
  const double cold = first_step(job, options, folder), warm = first_step(job, options, folder);
  std::filesystem::remove_all(folder);
  return {cold, warm};
}

/// The shortest time, in microseconds, that arithmetic and memory allow.
double roof(const Job& job, const pb::StepCost& cost, double peak, int threads) {
  const double state = static_cast<double>(cost.state_bytes);
  const double moved = (job.is_inference ? 1 : 2) * state + static_cast<double>(cost.input_bytes + cost.output_bytes);
  const std::int64_t working_set = cost.state_bytes + cost.arena_bytes + cost.input_bytes + cost.output_bytes;
  return 1e6 * std::max(cost.flop_in_bounds / peak, moved / bench::measure_bandwidth(working_set, threads));
}

nlohmann::json run(const Job& job, const Options& options, double peak) {
  const bench::Network network = job.workload->make();
  pb::Program program = program_of(job, network, options);
  pb::BoundStep bound = program.bind(bench::inputs_of(program, network));
  bound.step();
  const Times times = time_steps(bound, options.seconds);
  const pb::StepCost cost = program.cost();
  const CompileTimes compile = options.compile_times ? compile_times(job, options) : CompileTimes{};
  const double of_peak = 100 * cost.flop_in_bounds / (times.median * 1e-6) / peak;
  const double of_roof = 100 * roof(job, cost, peak, options.threads) / times.median;
  fmt::print("{:24} {:10.2f} {:10.2f} {:8.3f} {:7.1f} {:7.1f} {:8.2f} {:8.1f} {:8.1f}\n", job.name, times.median,
             times.least, cost.flop_in_bounds * 1e-9, of_peak, of_roof,
             static_cast<double>(cost.arena_bytes) / (1 << 20), compile.cold, compile.warm);
  std::fflush(stdout);
  if (options.profile) fmt::print("{}", program.profile());
  return {{"name", job.name},
          {"threads", options.threads},
          {"precision", pb::name_of(options.precision)},
          {"median_us", times.median},
          {"min_us", times.least},
          {"flop", cost.flop_in_bounds},
          {"flop_nominal", cost.flop},
          {"percent_of_peak", of_peak},
          {"percent_of_roofline", of_roof},
          {"peak_bytes", cost.arena_bytes},
          {"scratch_bytes", cost.scratch_bytes * options.threads},
          {"output_bytes", cost.output_bytes},
          {"live_bytes", cost.live_bytes},
          {"state_bytes", cost.state_bytes},
          {"kernel_calls", cost.kernel_calls},
          {"compile_ms_cold", compile.cold},
          {"compile_ms_warm", compile.warm}};
}

void run_all(Options options) {
  if (options.names.empty())
    for (const bench::Workload& w : bench::workloads())
      options.names.insert(options.names.end(), {w.name, "inference " + w.name});
  std::vector<Job> jobs;
  for (const std::string& name : options.names) jobs.push_back(job_of(name));
  const double peak = bench::measure_peak(options.threads);
  fmt::print("{} thread{}, FMA peak {:.1f} GFLOP/s\n{:24} {:>10} {:>10} {:>8} {:>7} {:>7} {:>8} {:>8} {:>8}\n",
             options.threads, options.threads == 1 ? "" : "s", peak * 1e-9, "workload", "median us", "min us", "GFLOP",
             "% peak", "% roof", "MiB", "cold ms", "warm ms");
  nlohmann::json results = nlohmann::json::array();
  for (const Job& job : jobs) results.push_back(run(job, options, peak));
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  file << results.dump(2) << '\n';
  if (!file.flush()) throw pb::Error("can't write " + options.json);
}

}  // namespace

int main(int argc, char** argv) {
  const Clock::time_point start = Clock::now();
  Options options;
  CLI::App app("Times training steps and inference.");
  app.add_option("--threads", options.threads, "threads that run kernels")->check(CLI::PositiveNumber);
  app.add_option("--precision", options.precision, "what products read and give")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, pb::DType>{{"f32", pb::f32}, {"bf16", pb::bf16}, {"f16", pb::f16}}));
  app.add_option("--json", options.json, "a file that receives the results");
  app.add_option("--seconds", options.seconds, "timed for each workload")->check(CLI::PositiveNumber);
  app.add_flag("--profile", options.profile, "print the time of each kernel");
  app.add_flag("!--no-compile-times", options.compile_times, "do not start processes to time their first step");
  app.add_option("--first-step", options.first_step, "only print the milliseconds to the first step of this workload");
  app.add_option("workloads", options.names, "names, or \"inference NAME\"");
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.first_step.empty())
      run_all(options);
    else
      print_first_step(options, start);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_training: {}\n", e.what());
    return 1;
  }
}
