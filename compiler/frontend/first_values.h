// First values of large parameters are computed while the graph is traced on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pullback::detail {

/// Fills arrays in threads of its own, until somebody may read them: one, and more where much is waiting. On one core
/// nothing is put off.
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
  /// With the mutex: one thread more, if there is a core for it and enough to do.
  void start_thread();
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool is_finished_ = false;             ///< nothing more is put off; with the mutex
  std::mutex finishing_;                 ///< of who waits for all
  std::atomic<bool> is_filled_ = false;  ///< nobody need wait
  std::vector<std::thread> threads_;
};

}  // namespace pullback::detail
