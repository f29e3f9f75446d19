#include "compiler/frontend/first_values.h"

#include <system_error>
#include <utility>

namespace pullback::detail {

void FirstValues::add(std::function<void()> fill) {
  {
    std::unique_lock lock(mutex_);
    if (!is_finished_) start_thread();
    if (is_finished_ || threads_.empty()) {
      lock.unlock();
      return fill();
    }
    waiting_.push_back(std::move(fill));
  }
  changed_.notify_one();
}

void FirstValues::start_thread() {
  // Half a millisecond of waiting work or more is worth a thread; who traces has a core, too.
  constexpr std::size_t kWaiting = 8;
  static const std::size_t cores = std::thread::hardware_concurrency();
  if (threads_.size() + 1 >= cores || waiting_.size() < kWaiting * threads_.size()) return;
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {  // then those that are there do it
  }
}

void FirstValues::finish() {
  if (is_filled_) return;
  const std::lock_guard finishing(finishing_);
  {
    const std::lock_guard lock(mutex_);
    is_finished_ = true;
  }
  changed_.notify_all();
  if (!threads_.empty()) work();  // one more fills the rest
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
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
