#include "runtime/thread_choice.h"

#include <algorithm>

namespace pullback::runtime {

void ThreadChoice::ran(Duration time) {
  if (!is_trial()) {
    --until_trial_;
    return;
  }
  if (trial_run_ % kRuns >= kUncounted) {
    Duration& shortest = is_shared_in_trial() ? shared_ : alone_;
    shortest = std::min(shortest, time);
  }
  if (++trial_run_ == kRuns * kBlocks) decide();
}

void ThreadChoice::decide() {
  using namespace std::chrono_literals;
  // Runs with threads, where these are late, disturb each other less than the first ones after a change: what was
  // chosen stays unless the other is clearly better.
  constexpr double kClearly = 0.95;
  const Duration chosen = is_better_shared_ ? shared_ : alone_, other = is_better_shared_ ? alone_ : shared_;
  if (other.count() < kClearly * chosen.count()) is_better_shared_ = !is_better_shared_;

  // The next trial: soon enough to notice that the machine has changed, and late enough for trials to cost a hundredth.
  constexpr Duration kSoonest = 50ms, kLatest = 1s;
  constexpr int kShare = 100, kWorseRuns = kRuns * kBlocks / 2;
  const Duration better = std::min(shared_, alone_), worse = std::max(shared_, alone_);
  const Duration pause = std::clamp(kShare * kWorseRuns * (worse - better), kSoonest, kLatest);
  until_trial_ = std::max<std::int64_t>(pause / std::max(better, Duration(1)), 1);
  trial_run_ = 0;
  shared_ = alone_ = Duration::max();
}

}  // namespace pullback::runtime
