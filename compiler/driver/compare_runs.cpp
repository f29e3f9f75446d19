#include "compiler/driver/compare_runs.h"

#include <algorithm>
#include <cmath>

namespace pullback::driver {

namespace {

constexpr double kFaster = 0.98, kHopeless = 1.1, kMostOfRounds = 0.8;
constexpr int kFewestRounds = 5, kMostRounds = 25, kFirstRounds = 3;
constexpr double kShortest = 200;  // microseconds of one measurement: far above the clock's own time

/// Sorted, the one at this share of the way.
double quantile(std::vector<double> values, double share) {
  const auto position = static_cast<std::ptrdiff_t>(std::ceil(share * static_cast<double>(values.size()))) - 1;
  const auto at = values.begin() + std::max<std::ptrdiff_t>(position, 0);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

class Contest {
 public:
  Contest(std::size_t candidates, const MeasureRun& measure) : measure_(measure), times_(candidates) {}

  Comparison run(double seconds) {
    double once = 0;  // microseconds of a round
    for (std::size_t i = 0; i < times_.size(); ++i) {
      measure_(i, 1);  // fetches memory and code
      const double time = measure_(i, 1);
      repeats_.push_back(std::clamp(static_cast<int>(kShortest / std::max(time, 0.1)), 1, 1000));
      once += time * (repeats_.back() + 1);
    }
    const int rounds = std::clamp(static_cast<int>(seconds * 1e6 / once), kFewestRounds, kMostRounds);
    for (int round = 0; round < rounds; ++round)
      for (std::size_t i = 0; i < times_.size(); ++i)
        if (i == 0 || round < kFirstRounds || quantile(ratios(i), 0.5) < kHopeless) times_[i].push_back(timed(i));
    return result();
  }

 private:
  double timed(std::size_t i) {
    if (repeats_[i] > 1) measure_(i, 1);  // its operands and code come near again
    return measure_(i, repeats_[i]);
  }

  std::vector<double> ratios(std::size_t i) const {
    std::vector<double> all;
    for (std::size_t round = 0; round < times_[i].size(); ++round)
      all.push_back(times_[i][round] / times_.front()[round]);
    return all;
  }

  Comparison result() const {
    Comparison comparison;
    double best = kFaster;
    for (std::size_t i = 0; i < times_.size(); ++i) {
      comparison.medians.push_back(quantile(times_[i], 0.5));
      const double ratio =
          std::max(quantile(ratios(i), 0.5), quantile(times_[i], 0.25) / quantile(times_.front(), 0.25));
      if (ratio >= best || quantile(ratios(i), kMostOfRounds) >= 1) continue;
      best = ratio;
      comparison.fastest = i;
    }
    return comparison;
  }

  const MeasureRun& measure_;
  std::vector<std::vector<double>> times_;
  std::vector<int> repeats_;
};

}  // namespace

Comparison compare_runs(std::size_t candidates, double seconds, const MeasureRun& measure) {
  return Contest(candidates, measure).run(seconds);
}

}  // namespace pullback::driver
