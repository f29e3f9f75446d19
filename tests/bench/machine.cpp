#include "tests/bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace pullback::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The vectors of three generations of processors; the compiler may use what each function's target allows.
using Vector16 = float __attribute__((vector_size(64)));
using Vector8 = float __attribute__((vector_size(32)));
using Vector4 = float __attribute__((vector_size(16)));

constexpr std::int64_t kRounds = 200'000;

// Chains enough to hide the latency of an addition, few enough for the registers. The barriers keep the compiler from
// seeing that they are all alike. Returns floating operations.
#define PULLBACK_BENCH_CHAINS(NAME, TARGET, VECTOR, CHAINS, CONSTRAINT)                     \
  __attribute__((target(TARGET), optimize("fp-contract=fast"))) double NAME() {             \
    VECTOR chains[CHAINS] = {}, factor = VECTOR{} + 0.999F, summand = VECTOR{} + 0.001F;    \
    for (auto& chain : chains) asm volatile("" : "+" CONSTRAINT(chain));                    \
    asm volatile("" : "+" CONSTRAINT(factor), "+" CONSTRAINT(summand));                     \
    for (std::int64_t round = 0; round < kRounds; ++round) {                                \
      _Pragma("GCC unroll 32") for (auto& chain : chains) chain = chain * factor + summand; \
      asm volatile("");                                                                     \
    }                                                                                       \
    for (auto& chain : chains) asm volatile("" : : CONSTRAINT(chain));                      \
    return 2.0 * kRounds * CHAINS * static_cast<double>(sizeof(VECTOR) / sizeof(float));    \
  }
PULLBACK_BENCH_CHAINS(chains_of_16, "avx512f", Vector16, 24, "v")
PULLBACK_BENCH_CHAINS(chains_of_8, "avx2,fma", Vector8, 12, "x")
PULLBACK_BENCH_CHAINS(chains_of_4, "sse2", Vector4, 12, "x")
#undef PULLBACK_BENCH_CHAINS

double chains() {
  if (__builtin_cpu_supports("avx512f")) return chains_of_16();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return chains_of_8();
  return chains_of_4();
}

// Runs work(0), ..., work(threads - 1) side by side; the seconds until all have ended.
double run(int threads, const std::function<void(int)>& work) {
  const Clock::time_point start = Clock::now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
  for (std::thread& other : others) other.join();
  return seconds_since(start);
}

__attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3"))) void update(float* values,
                                                                                         std::ptrdiff_t count) {
  for (std::ptrdiff_t i = 0; i < count; ++i) values[i] = values[i] * 0.999F + 0.001F;
}

}  // namespace

double measure_peak(int threads) {
  double best = 0;
  for (int i = 0; i < 12; ++i) {
    std::vector<double> flop(static_cast<std::size_t>(threads));
    const double seconds = run(threads, [&](int t) { flop[static_cast<std::size_t>(t)] = chains() + chains(); });
    double sum = 0;
    for (const double f : flop) sum += f;
    best = std::max(best, sum / seconds);
  }
  return best;
}

double measure_bandwidth(std::int64_t bytes, int threads) {
  const std::int64_t count = std::max<std::int64_t>(bytes / threads / 4, 256);
  std::vector<std::vector<float>> parts(static_cast<std::size_t>(threads));
  run(threads, [&](int t) { parts[static_cast<std::size_t>(t)].assign(static_cast<std::size_t>(count), 1.0F); });
  // Some milliseconds a trial, so that starting threads does not count.
  const std::int64_t repeats = std::max<std::int64_t>(2, 100'000'000 / (8 * count));
  double best = 0;
  for (int i = 0; i < 8; ++i) {
    const double seconds = run(threads, [&](int t) {
      for (std::int64_t r = 0; r < repeats; ++r) update(parts[static_cast<std::size_t>(t)].data(), count);
    });
    best = std::max(best, 8.0 * static_cast<double>(count * threads * repeats) / seconds);
  }
  return best;
}

}  // namespace pullback::bench
