// What a user sees while fit() runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <pullback/fit.h>

namespace pullback::runtime {

/// Writes progress: a bar that is redrawn in place, or a line an epoch.
class ProgressReporter {
 public:
  /// `epochs` in all, `first_epoch` the first that is run, `batches` in each.
  ProgressReporter(Progress kind, std::FILE* stream, std::vector<std::string> metrics, int epochs, int first_epoch,
                   std::int64_t batches);
  ~ProgressReporter();
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  /// After a batch; `means` are the loss and metrics of the epoch so far, over `examples` in `seconds`.
  void batch(int epoch, std::int64_t batches_done, std::span<const double> means, std::int64_t examples,
             double seconds);
  void epoch(const EpochRecord& record);

 private:
  using Clock = std::chrono::steady_clock;

  std::string numbers(std::span<const double> values, const std::string& prefix) const;
  double seconds_left(int epoch, std::int64_t batches_done) const;

  Progress kind_;
  std::FILE* stream_;
  std::vector<std::string> metrics_;
  int epochs_;
  int first_epoch_;
  std::int64_t batches_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_{};
  bool bar_visible_ = false;
};

/// "7 s", "2 min 05 s", "3 h 20 min".
std::string format_duration(double seconds);

}  // namespace pullback::runtime
