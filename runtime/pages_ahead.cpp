#include "runtime/pages_ahead.h"

#include <cstdint>
#include <system_error>
#include <tuple>

namespace pullback::runtime {

namespace {

constexpr std::size_t kStep = 4096;  // the smallest page

/// An atomic write that leaves the byte as it is: whatever another thread writes at the same time stays.
__attribute__((no_sanitize("thread"))) void touch_page(std::byte* at) {
  __atomic_fetch_or(reinterpret_cast<volatile unsigned char*>(at), static_cast<unsigned char>(0), __ATOMIC_RELAXED);
}

}  // namespace

PagesAhead::~PagesAhead() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void PagesAhead::touch(std::byte* begin, std::byte* end) {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  if (!has_cores || begin >= end) return;
  const std::lock_guard lock(mutex_);
  ranges_.emplace_back(begin, end);
  if (is_working_) return;
  if (thread_.joinable()) thread_.join();  // which has nothing left to do
  try {
    thread_ = std::thread([this] { work(); });
    is_working_ = true;
  } catch (const std::system_error&) {  // no thread: pages come when they are used
    ranges_.clear();
  }
}

void PagesAhead::work() {
  for (;;) {
    std::byte *begin = nullptr, *end = nullptr;
    {
      const std::lock_guard lock(mutex_);
      is_working_ = !ranges_.empty();
      if (!is_working_) return;
      std::tie(begin, end) = ranges_.back();
      ranges_.pop_back();
    }
    // Pages that are there already, as all but one of a huge page are, take nothing.
    const std::size_t behind = reinterpret_cast<std::uintptr_t>(end - 1) % kStep;
    for (std::byte* at = end - 1 - behind; at >= begin && !stop_; at -= kStep) touch_page(at);
    if (stop_) return;
  }
}

}  // namespace pullback::runtime
