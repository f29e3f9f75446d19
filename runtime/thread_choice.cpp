#include "runtime/thread_choice.h"

#include <algorithm>

namespace pullback::runtime {

using namespace std::chrono_literals;

namespace {

/// Times that a run may reasonably take longer than one as preferred.
constexpr int kMostSlower = 8;

}  // namespace

void ThreadChoice::ran(Duration time) {
  if (!is_trial()) {
    --until_trial_;
    return;
  }
  const bool counts = run_ % kRuns >= kUncounted;
  if (counts) {
    Duration& shortest = tries_other() ? other_ : preferred_;
    shortest = std::min(shortest, time);
  }
  // What an interrupted run lost is not the trial's fault.
  if (tries_other()) lost_ += std::clamp(time - preferred_, Duration::zero(), kMostSlower * preferred_);
  const bool is_over = counts && is_decided(time);
  if (++run_ == kRuns * kBlocks || is_over) end_trial();
}

// Before its end a trial only confirms: a run that was interrupted must not change the preference.
bool ThreadChoice::is_decided(Duration last) const {
  // What parts tell each other takes microseconds, some hundreds in a step that has hundreds of kernels.
  constexpr Duration kLong = 10ms;
  constexpr int kMuchSlower = 125;  // percent
  if (tries_other()) return 100 * last > kMuchSlower * preferred_;
  return prefers_shared_ && last > kLong;
}

void ThreadChoice::end_trial() {
  constexpr int kClearlyFaster = 95;  // percent: what makes no difference stays as it is
  const bool changes = other_ != Duration::max() && 100 * other_ < kClearlyFaster * preferred_;
  // The next trial: soon enough to notice that the machine has changed, late enough for trials to cost a hundredth.
  constexpr Duration kSoonest = 50ms;
  const Duration pause = std::max(100 * lost_, kSoonest);
  until_trial_ = std::max<std::int64_t>(pause / std::max(std::min(preferred_, other_), Duration(1)), 100);
  if (changes) prefers_shared_ = !prefers_shared_;
  run_ = 0;
  preferred_ = other_ = Duration::max();
  lost_ = {};
}

}  // namespace pullback::runtime
