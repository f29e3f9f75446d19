#include "tests/bench/measure.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace pullback::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kAccumulators = 24;  // more than FMA units times their latency, fewer than registers
constexpr int kSteps = 4000;
constexpr double kSampleSeconds = 300e-6;
// Idle threads of one library wait actively for a while and take cores from the other; and the system takes a while to
// find a core for each of the other's. So much of each goes before a sample of several threads.
constexpr double kSettleSeconds = 50e-3;

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
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const std::size_t n = samples.size();
  // The count of samples below the median is binomial: the largest number of samples to leave out at each end such that
  // the median lies outside the rest with a probability of at most 5 %.
  std::size_t left_out = 0;
  double term = std::pow(0.5, static_cast<double>(n)), below = term;
  while (2 * below <= 0.05) {
    ++left_out;
    term *= static_cast<double>(n - left_out + 1) / static_cast<double>(left_out);
    below += term;
  }
  const std::size_t first = left_out ? left_out - 1 : 0;
  return {(samples[(n - 1) / 2] + samples[n / 2]) / 2, samples[first], samples[n - 1 - first]};
}

Peer faster_of(Peer a, Peer b) {
  std::vector<double> ratios;
  const int a_calls = repeats_for(a.call, kSampleSeconds), b_calls = repeats_for(b.call, kSampleSeconds);
  for (int i = 0; i < 5; ++i) {
    const double of_a = seconds_per_call(a.call, a_calls);
    ratios.push_back(of_a / seconds_per_call(b.call, b_calls));
  }
  return median_of(ratios).value <= 1 ? std::move(a) : std::move(b);
}

Comparison::Comparison(std::function<void()> ours, std::vector<Peer> peers, int threads)
    : threads_(threads), ours_(side_of(std::move(ours))) {
  for (Peer& peer : peers) peers_.push_back({std::move(peer.name), side_of(std::move(peer.call)), {}});
}

Comparison::Side Comparison::side_of(std::function<void()> call) const {
  Side side{.call = std::move(call)};
  side.calls = repeats_for(side.call, kSampleSeconds);
  if (threads_ > 1) {
    const double once = std::max(kSampleSeconds, seconds_per_call(side.call, side.calls) * side.calls);
    side.settle = (static_cast<int>(kSettleSeconds / once) + 1) * side.calls;
  }
  return side;
}

double Comparison::sample(Side& side) const {
  for (int i = 0; i < side.settle; ++i) side.call();
  side.seconds.push_back(seconds_per_call(side.call, side.calls));
  return side.seconds.back();
}

double Comparison::round() {
  const double peak = peak_flops() * threads_;
  double ours = 0;
  if (peers_.empty()) ours = sample(ours_);
  for (Against& peer : peers_) {
    double theirs = 0;
    const bool ours_first = peer.ratios.size() % 2 == 0;
    if (!ours_first) theirs = sample(peer.side);
    ours = sample(ours_);
    if (ours_first) theirs = sample(peer.side);
    peer.ratios.push_back(theirs / ours);
  }
  if (peak > 0) shares_.push_back(1 / (peak * ours));
  return ours;
}

std::vector<Comparison::Result> Comparison::results() const {
  std::vector<Result> results;
  for (const Against& peer : peers_)
    results.push_back({peer.name, median_of(peer.side.seconds), median_of(peer.ratios)});
  return results;
}

Comparison::Result Comparison::best() const {
  const std::vector<Result> all = results();
  std::size_t best = 0;
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i].ratio.value < all[best].ratio.value) best = i;
  return all.at(best);
}

double Comparison::percent_of_peak(double flop) const {
  return 100 * flop * median_of(shares_).value;
}

}  // namespace pullback::bench
