// What the kernels' benchmarks share: samples of several calls, the machine's peak beside them, medians of pairs.
#pragma once

#include <functional>
#include <vector>

namespace pullback::bench {

/// Seconds of one call of `work`, from `repeat` calls.
double seconds_per_call(const std::function<void()>& work, int repeat);

/// How many calls of `work` fill `seconds`, at least one.
int repeats_for(const std::function<void()>& work, double seconds);

/// Floating operations a second of one core that does nothing but fused multiply-adds of f32 in registers, over some
/// ten microseconds; 0 where the processor has no FMA.
double peak_flops();

/// The median, and bounds that hold it with 95 % confidence whatever the distribution (order statistics).
struct Median {
  double value = 0, low = 0, high = 0;
};
Median median_of(std::vector<double> samples);

}  // namespace pullback::bench
