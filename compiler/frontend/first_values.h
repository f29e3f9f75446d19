// First values of large parameters are computed while the graph is traced on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace pullback::detail {

/// Fills arrays in a thread of its own, until somebody may read them. On one core nothing is put off.
class FirstValues {
 public:
  FirstValues() = default;
  ~FirstValues() { finish(); }
  FirstValues(const FirstValues&) = delete;
  FirstValues& operator=(const FirstValues&) = delete;

  /// Calls `fill`, which does not throw, now or later.
  void add(std::function<void()> fill);
  /// Returns when all are filled; several threads may call it. What is added from now on is filled at once: others have
  /// the state now.
  void finish();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool is_finished_ = false;             ///< nothing more is put off; with the mutex
  std::mutex finishing_;                 ///< of who waits for all
  std::atomic<bool> is_filled_ = false;  ///< nobody need wait
  std::thread thread_;
};

}  // namespace pullback::detail
