#include "compiler/frontend/first_values.h"

#include <system_error>
#include <utility>

namespace pullback::detail {

void FirstValues::add(std::function<void()> fill) {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  if (!has_cores || is_finished_) return fill();
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
      is_finished_ = true;
      return fill();
    }
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(fill));
  }
  changed_.notify_one();
}

void FirstValues::finish() {
  if (is_finished_) return;
  {
    const std::lock_guard lock(mutex_);
    is_finished_ = true;
  }
  changed_.notify_one();
  if (!thread_.joinable()) return;
  // Two fill the rest.
  work();
  thread_.join();
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
