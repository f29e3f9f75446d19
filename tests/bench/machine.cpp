#include "tests/bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "tests/bench/measure.h"

namespace pullback::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
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
  constexpr int kSamples = 4000;  // of some ten microseconds
  std::vector<double> best(static_cast<std::size_t>(threads));
  run(threads, [&](int t) {
    double& own = best[static_cast<std::size_t>(t)];
    for (int i = 0; i < kSamples; ++i) own = std::max(own, peak_flops());
  });
  return std::accumulate(best.begin(), best.end(), 0.0);
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
