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
  bool is_shared() const { return is_trial() && tries_other() ? !prefers_shared_ : prefers_shared_; }
  /// Is the next run's time asked for?
  bool is_timed() const { return is_trial(); }

  /// A run is over. `time` counts where is_timed() asked for it.
  void ran(Duration time = {});

 private:
  // A trial is a block of runs as preferred, one of the other way, and both again. The first run of each fetches what
  // it needs from the other cores' caches.
  static constexpr int kRuns = 4, kUncounted = 1, kBlocks = 4;

  bool is_trial() const { return until_trial_ == 0; }
  bool tries_other() const { return run_ / kRuns % 2 == 1; }
  bool is_decided(Duration last) const;
  void end_trial();

  bool prefers_shared_ = true;
  std::int64_t until_trial_ = 4;                                    // runs: the first ones get memory and fill caches
  int run_ = 0;                                                     // of the trial
  Duration preferred_ = Duration::max(), other_ = Duration::max();  // the shortest of a trial
  Duration lost_{};                                                 // by its runs of the other way
};

}  // namespace pullback::runtime
