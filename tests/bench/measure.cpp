#include "tests/bench/measure.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace pullback::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kAccumulators = 24;  // more than FMA units times their latency, fewer than registers
constexpr int kSteps = 4000;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The accumulators must be registers: the loops over them are unrolled.
__attribute__((target("avx512f"))) double flops_avx512() {
  __m512 sums[kAccumulators];
  const __m512 factor = _mm512_set1_ps(0.999f), addend = _mm512_set1_ps(1e-3f);
#pragma GCC unroll 24
  for (__m512& sum : sums) sum = addend;
  const Clock::time_point start = Clock::now();
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 24
    for (__m512& sum : sums) {
      sum = _mm512_fmadd_ps(sum, factor, addend);
      __asm__ volatile("" : "+v"(sum));
    }
  }
  return 2.0 * 16 * kAccumulators * kSteps / seconds_since(start);
}

__attribute__((target("avx2,fma"))) double flops_avx2() {
  constexpr int kCount = 12;
  __m256 sums[kCount];
  const __m256 factor = _mm256_set1_ps(0.999f), addend = _mm256_set1_ps(1e-3f);
#pragma GCC unroll 12
  for (__m256& sum : sums) sum = addend;
  const Clock::time_point start = Clock::now();
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m256& sum : sums) {
      sum = _mm256_fmadd_ps(sum, factor, addend);
      __asm__ volatile("" : "+x"(sum));
    }
  }
  return 2.0 * 8 * kCount * kSteps / seconds_since(start);
}

}  // namespace

double seconds_per_call(const std::function<void()>& work, int repeat) {
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < repeat; ++i) work();
  return seconds_since(start) / repeat;
}

int repeats_for(const std::function<void()>& work, double seconds) {
  work();  // what happens once only does not count
  int repeat = 1;
  for (;; repeat *= 4) {
    const double once = seconds_per_call(work, repeat);
    if (once * repeat > seconds / 8 || repeat > 1000000)
      return std::max(1, static_cast<int>(std::lround(seconds / once)));
  }
}

double peak_flops() {
  if (__builtin_cpu_supports("avx512f")) return flops_avx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return flops_avx2();
  return 0;
}

Median median_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<double>(samples.size());
  const auto at = [&](double position) { return samples[static_cast<std::size_t>(std::clamp(position, 0.0, n - 1))]; };
  const double reach = 0.98 * std::sqrt(n);  // half of 1.96 standard deviations of the count below the median
  return {at((n - 1) / 2), at(std::floor(n / 2 - reach)), at(std::ceil(n / 2 + reach))};
}

}  // namespace pullback::bench
