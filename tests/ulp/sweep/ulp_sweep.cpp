// ulp_sweep: the worst errors of the compiled elementary functions, as the table of docs/accuracy.md. Functions of one
// f32 are checked on all 2^32 inputs: against the C library in double, and the worst of each block against MPFR. f64,
// and functions of two numbers, are checked against MPFR on hard and random inputs.
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "compiler/ops/math/math.h"
#include "tests/ulp/compiled.h"
#include "tests/ulp/reference.h"

namespace pullback::ulp {
namespace {

constexpr std::int64_t kBlock = CompiledFunction::kBlock;

struct Worst {
  double error = -1;
  std::uint64_t x = 0, y = 0, result = 0;
  std::int64_t inputs = 0;

  void merge(const Worst& other) {
    inputs += other.inputs;
    if (other.error > error) error = other.error, x = other.x, y = other.y, result = other.result;
  }
};

struct Task {
  ops::MathFunctionInfo function;
  DType dtype;
  const CompiledFunction* compiled;
};

/// |result - exact| in f32 ulp, exact being a double; infinite for a wrong kind of result.
double quick_error(float result, double exact) {
  if (std::isnan(exact) || std::isnan(result)) return std::isnan(exact) == std::isnan(result) ? 0 : INFINITY;
  if (std::signbit(result) != std::signbit(exact)) return INFINITY;
  if (static_cast<float>(exact) == result && (std::isinf(result) || exact == 0)) return 0;
  if (std::isinf(result) || std::isinf(exact)) return INFINITY;
  const int exponent = static_cast<int>(std::bit_cast<std::uint64_t>(exact) >> 52 & 0x7FF) - 1023;
  const int unit = std::max(exponent, -126) - 23;
  return std::fabs(result - exact) * std::bit_cast<double>(static_cast<std::uint64_t>(1023 - unit) << 52);
}

/// The screening is good to far less than this.
constexpr double kScreeningMargin = 1e-6;

Worst sweep_block(const Task& task, QuickReference quick, std::uint64_t first, double worst_so_far) {
  thread_local std::vector<float> x(kBlock), result(kBlock);
  for (std::int64_t i = 0; i < kBlock; ++i)
    x[static_cast<std::size_t>(i)] =
        std::bit_cast<float>(static_cast<std::uint32_t>(first + static_cast<std::uint64_t>(i)));
  Worst worst;
  worst.error = worst_so_far;
  (*task.compiled)(x.data(), x.data(), result.data());
  worst.inputs = kBlock;
  const auto check = [&](std::size_t i) {
    const auto bits = std::bit_cast<std::uint32_t>(x[i]), result_bits = std::bit_cast<std::uint32_t>(result[i]);
    const double error = error_in_ulp(task.function.name, DType::f32, bits, 0, result_bits);
    if (error > worst.error) worst.error = error, worst.x = bits, worst.result = result_bits;
  };
  // Of each block, MPFR sees the worst input, and all of a wrong kind.
  double largest = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = quick_error(result[i], quick(static_cast<double>(x[i])));
    if (std::isinf(error))
      check(i);
    else if (error > largest)
      largest = error, at = i;
  }
  if (largest > worst.error - kScreeningMargin) check(at);
  return worst;
}

/// Random inputs: all bit patterns, and numbers of moderate size.
std::uint64_t random_input(DType dtype, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return dtype == DType::f32 ? random() >> 32 : random();
    case 1:
      return to_bits(dtype, std::uniform_real_distribution<double>(-1.25, 1.25)(random));
    case 2:
      return to_bits(dtype, std::uniform_real_distribution<double>(-20, 20)(random));
    default:
      return to_bits(dtype, std::uniform_real_distribution<double>(-800, 800)(random));
  }
}

Worst sample_block(const Task& task, std::uint64_t seed) {
  static const std::vector<double> hard = hard_inputs();
  const std::size_t width = size_of(task.dtype);
  std::vector<std::byte> x(kBlock * width), y(kBlock * width), result(kBlock * width);
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < kBlock; ++i) {
    // Block 0 has every hard input; others have some.
    const auto draw = [&](std::size_t position) {
      const bool use_hard = seed == 0 ? position < hard.size() : random() % 16 == 0;
      if (!use_hard) return random_input(task.dtype, random);
      return to_bits(task.dtype, hard[seed == 0 ? position : random() % hard.size()]);
    };
    const std::uint64_t x_bits = draw(i), y_bits = draw(random() % (2 * hard.size()));
    std::memcpy(x.data() + i * width, &x_bits, width);
    std::memcpy(y.data() + i * width, &y_bits, width);
  }
  Worst worst;
  (*task.compiled)(x.data(), y.data(), result.data());
  worst.inputs = kBlock;
  for (std::size_t i = 0; i < kBlock; ++i) {
    std::uint64_t bits[3] = {0, 0, 0};
    std::memcpy(&bits[0], x.data() + i * width, width);
    std::memcpy(&bits[1], y.data() + i * width, width);
    std::memcpy(&bits[2], result.data() + i * width, width);
    const double error = error_in_ulp(task.function.name, task.dtype, bits[0], bits[1], bits[2]);
    if (error > worst.error) worst.error = error, worst.x = bits[0], worst.y = bits[1], worst.result = bits[2];
  }
  return worst;
}

/// Runs block(number, worst error so far) for all numbers below count on all threads.
template <class Block>
Worst run_blocks(std::uint64_t count, unsigned threads, const Block& block) {
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  Worst worst;
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t)
    workers.emplace_back([&] {
      Worst mine;
      for (std::uint64_t number; (number = next++) < count;) mine.merge(block(number, mine.error));
      const std::lock_guard lock(mutex);
      worst.merge(mine);
    });
  for (std::thread& worker : workers) worker.join();
  return worst;
}

/// Elements a nanosecond on numbers in (0, 1), one thread, data in cache: the best of many runs.
double speed(const Task& task) {
  const std::size_t width = size_of(task.dtype);
  std::vector<std::byte> x(kBlock * width), result(kBlock * width);
  for (std::size_t i = 0; i < kBlock; ++i) {
    const std::uint64_t bits = to_bits(task.dtype, (static_cast<double>(i) + 0.5) / kBlock);
    std::memcpy(x.data() + i * width, &bits, width);
  }
  double best = INFINITY;
  for (int run = 0; run < 200; ++run) {
    const auto start = std::chrono::steady_clock::now();
    (*task.compiled)(x.data(), x.data(), result.data());
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
  }
  return kBlock / best;
}

void report(const Task& task, const Worst& worst, bool complete) {
  std::string where = fmt::format("{:a}", from_bits(task.dtype, worst.x));
  if (task.function.arity == 2) where += fmt::format(", {:a}", from_bits(task.dtype, worst.y));
  std::string inputs = complete ? "all 2^32" : fmt::format("{:.1f} million", static_cast<double>(worst.inputs) * 1e-6);
  fmt::print("| {} | {} | {:.3f} | {} | {} | {:.2f} |\n", task.function.name, name_of(task.dtype), worst.error, where,
             inputs, speed(task));
  std::fflush(stdout);
}

}  // namespace
}  // namespace pullback::ulp

int main(int argc, char** argv) {
  using namespace pullback;
  CLI::App app{"Worst errors of the elementary functions, in ulp"};
  std::vector<std::string> only;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  std::int64_t samples = 500'000;
  std::uint64_t stride = 1;
  app.add_option("functions", only, "Names (default: all)");
  app.add_option("--threads", threads, "Threads")->check(CLI::PositiveNumber);
  app.add_option("--samples", samples, "Inputs for f64 and for functions of two numbers")->check(CLI::PositiveNumber);
  app.add_option("--stride", stride, "Check only every n-th block of f32 inputs")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  fmt::print("| function | type | worst error in ulp | at | inputs | elements/ns |\n|---|---|---|---|---|---|\n");
  double worst_of_all = 0;
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const ops::MathFunctionInfo& function : ops::math_function_list()) {
      if (!only.empty() && std::find(only.begin(), only.end(), function.name) == only.end()) continue;
      const ulp::CompiledFunction compiled(function.name, function.arity, dtype);
      const ulp::Task task{function, dtype, &compiled};
      const bool sweep = function.arity == 1 && dtype == DType::f32;
      const auto block = static_cast<std::uint64_t>(ulp::kBlock);
      const std::uint64_t blocks =
          sweep ? (std::uint64_t{1} << 32) / block / stride : static_cast<std::uint64_t>(samples) / block + 1;
      const ulp::Worst worst = ulp::run_blocks(blocks, threads, [&](std::uint64_t number, double so_far) {
        if (!sweep) return ulp::sample_block(task, number);
        return ulp::sweep_block(task, ulp::quick_reference(function.name), number * stride * block, so_far);
      });
      ulp::report(task, worst, sweep && stride == 1);
      worst_of_all = std::max(worst_of_all, worst.error);
    }
  }
  return worst_of_all <= 2 ? 0 : 1;
}
