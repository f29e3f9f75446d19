#include "compiler/frontend/first_values.h"

#include <system_error>
#include <utility>

namespace pullback::detail {

void FirstValues::add(std::function<void()> fill) {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  {
    std::unique_lock lock(mutex_);
    if (has_cores && !is_finished_ && !thread_.joinable()) {
      try {
        thread_ = std::thread([this] { work(); });
      } catch (const std::system_error&) {
        is_finished_ = true;
      }
    }
    if (!has_cores || is_finished_) {
      lock.unlock();
      return fill();
    }
    waiting_.push_back(std::move(fill));
  }
  changed_.notify_one();
}

void FirstValues::finish() {
  if (is_filled_) return;
  const std::lock_guard finishing(finishing_);
  {
    const std::lock_guard lock(mutex_);
    is_finished_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    work();  // two fill the rest
    thread_.join();
  }
  is_filled_ = true;
}

void FirstValues::work() {
  for (;;) {
    std::function<void()> fill;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return is_finished_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      fill = std::move(waiting_.front());
      waiting_.pop_front();
    }
    fill();
  }
}

}  // namespace pullback::detail
