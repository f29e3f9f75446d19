// Memory that is about to be used for the first time gets its pages while others compute.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace pullback::runtime {

/// Touches pages in a thread of its own, which lives as long as there are any to touch: the system clears a page when
/// it is touched first, and that may take longer than computing what goes there. Changes nothing in memory, so that
/// others may write to it at any time. Where the machine has one core it does nothing.
class PagesAhead {
 public:
  PagesAhead() = default;
  /// Stops at the next page. The memory must live until then.
  ~PagesAhead();
  PagesAhead(const PagesAhead&) = delete;
  PagesAhead& operator=(const PagesAhead&) = delete;

  /// The pages that lie between are touched soon, the last first: who runs through them from the front meets those that
  /// are ready halfway, rather than one after the other as it is being cleared.
  void touch(std::byte* begin, std::byte* end);
  /// The same as long as the system takes long, as it does where a virtual machine has yet to get the memory itself:
  /// for when there is other work for all cores. Quick pages may as well come when they are used.
  void touch_slow(std::byte* begin, std::byte* end);

 private:
  struct Range {
    std::byte *begin = nullptr, *end = nullptr;
    bool only_slow = false;
  };
  void add(const Range& range);
  void work();
  void touch_pages(const Range& range) const;

  std::mutex mutex_;
  std::vector<Range> ranges_;
  bool is_working_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace pullback::runtime
