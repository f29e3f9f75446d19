// Which of several ways to compute the same is the fastest, on a machine that is never quite alone.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace pullback::driver {

struct Comparison {
  std::size_t fastest = 0;      ///< 0 unless another is faster beyond doubt
  std::vector<double> medians;  ///< microseconds
};

/// Runs candidate i once, or `repeat` times in a row, and gives the microseconds of one run.
using MeasureRun = std::function<double(std::size_t candidate, int repeat)>;

/// Measures all `candidates` in turn, for several rounds, until about `seconds` have passed. A candidate counts as
/// faster than number 0 when the ratio of their times within a round is below 1 in four of five rounds, and both its
/// median and the ratio of their better times (the lower quartiles) are below 0.98. Those that are slower by far are
/// given up early.
Comparison compare_runs(std::size_t candidates, double seconds, const MeasureRun& measure);

}  // namespace pullback::driver
