// Which of a step's runs get threads. Whether they are worth it depends on more than the code: how far apart the cores
// are, what else runs on them, whether the program has to wake them for each step. So it is measured, again and again.
#pragma once

#include <chrono>
#include <cstdint>

namespace pullback::runtime {

/// Chooses for one step, by its own times. Results never depend on it.
class ThreadChoice {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// Is the next run to be shared by threads?
  bool is_shared() const { return is_trial() ? is_shared_in_trial() : is_better_shared_; }
  /// Is the next run's time asked for?
  bool is_timed() const { return is_trial(); }

  /// A run is over. `time` counts where is_timed() asked for it.
  void ran(Duration time = {});

 private:
  // A trial is some runs with threads, as many without, and the same again. The first of each fetch what they need from
  // the other cores' caches.
  static constexpr int kRuns = 4, kUncounted = 1, kBlocks = 4;

  bool is_trial() const { return until_trial_ == 0; }
  bool is_shared_in_trial() const { return trial_run_ / kRuns % 2 == 0; }
  void decide();

  bool is_better_shared_ = true;
  std::int64_t until_trial_ = 4;  // runs: the first ones get memory and caches
  int trial_run_ = 0;
  Duration shared_ = Duration::max(), alone_ = Duration::max();  // the shortest of a trial
};

}  // namespace pullback::runtime
