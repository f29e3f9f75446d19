#include "runtime/pages_ahead.h"

#include <cstdint>
#include <ctime>
#include <system_error>

namespace pullback::runtime {

namespace {

constexpr std::size_t kStep = 4096;                  // the smallest page
constexpr std::size_t kPart = std::size_t{2} << 20;  // a huge page
/// A part in which pages are cleared at less than 2 GiB/s is slow. So many that are not, one behind the other: no
/// memory is.
constexpr std::int64_t kSlow = 1'000'000;  // nanoseconds
constexpr int kQuickParts = 4;

/// An atomic write that leaves the byte as it is: whatever another thread writes at the same time stays.
__attribute__((no_sanitize("thread"))) void touch_page(std::byte* at) {
  __atomic_fetch_or(reinterpret_cast<volatile unsigned char*>(at), static_cast<unsigned char>(0), __ATOMIC_RELAXED);
}

/// Nanoseconds that this thread has had a core.
std::int64_t own_time() {
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

PagesAhead::~PagesAhead() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void PagesAhead::touch(std::byte* begin, std::byte* end) {
  add({begin, end, false});
}

void PagesAhead::touch_slow(std::byte* begin, std::byte* end) {
  add({begin, end, true});
}

void PagesAhead::add(const Range& range) {
  static const bool has_cores = std::thread::hardware_concurrency() > 1;
  if (!has_cores || range.begin >= range.end) return;
  const std::lock_guard lock(mutex_);
  ranges_.push_back(range);
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
    Range range;
    {
      const std::lock_guard lock(mutex_);
      is_working_ = !ranges_.empty();
      if (!is_working_) return;
      range = ranges_.back();
      ranges_.pop_back();
    }
    touch_pages(range);
    if (stop_) return;
  }
}

void PagesAhead::touch_pages(const Range& range) const {
  std::int64_t start = own_time();
  int quick = 0;
  // Pages that are there already, as all but one of a huge page are, take nothing.
  const std::size_t behind = reinterpret_cast<std::uintptr_t>(range.end - 1) % kStep;
  for (std::byte* at = range.end - 1 - behind; at >= range.begin && !stop_; at -= kStep) {
    touch_page(at);
    if (!range.only_slow || reinterpret_cast<std::uintptr_t>(at) % kPart != 0) continue;
    const std::int64_t now = own_time();
    quick = now - start < kSlow ? quick + 1 : 0;
    if (quick == kQuickParts) return;
    start = now;
  }
}

}  // namespace pullback::runtime
