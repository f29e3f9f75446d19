#include "runtime/memory.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <sys/mman.h>

#include <pullback/error.h>

#include "runtime/pages_ahead.h"

namespace pullback::runtime {

namespace {

constexpr std::size_t kPage = 4096, kHugePage = std::size_t{2} << 20;
/// Blocks of at least so many bytes have places of their own in a page.
constexpr std::size_t kSmallestColoured = 16 * kPage;
/// From this size on memory comes from the system, in whole pages, which it has filled with zeros. Large matrices miss
/// the TLB less on huge pages, and the first touch of each page costs: where the system has no huge ones, nothing is
/// lost.
constexpr std::size_t kLarge = kHugePage / 2;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// Whole huge pages, but for a tail that would leave more than half of one unused.
std::size_t mapped_bytes(std::size_t bytes) {
  const std::size_t tail = bytes % kHugePage;
  return tail >= kLarge ? round_up(bytes, kHugePage) : round_up(bytes, kPage);
}

/// Zeros that begin at a huge page, or null.
std::byte* map_zeros(std::size_t bytes) {
  // The system aligns to small pages: what lies before and behind the aligned part is given back.
  void* raw = ::mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(raw);
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) ::munmap(begin, before);
  if (before < kHugePage) ::munmap(begin + before + bytes, kHugePage - before);
  ::madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

/// How far into its memory the next block begins. A weight, its gradient and its moments are read side by side, row by
/// row: if all of them began at a page, they would meet in the same few sets of the cache.
std::size_t next_colour(std::size_t bytes) {
  constexpr std::size_t kColours = 16, kPart = 256;
  if (bytes < kSmallestColoured) return 0;
  static std::atomic<std::size_t> count{0};
  // An odd number of lines, a page and a line at most, and little beside the block.
  const std::size_t lines = std::min(kPage / kAlignment, bytes / kPart / kAlignment) | 1;
  return count.fetch_add(1, std::memory_order_relaxed) % kColours * lines * kAlignment;
}

[[noreturn]] void fail(std::size_t bytes) {
  throw Error("out of memory: cannot allocate " + std::to_string(bytes) + " bytes");
}

/// Memory from the system that blocks share; null where there is none.
class Slab {
 public:
  static constexpr std::size_t kBytes = 16 * kHugePage;  // pages that nobody touches take nothing

  Slab() : memory_(map_zeros(kBytes)) {}
  ~Slab() {
    pages_.reset();
    if (memory_) ::munmap(memory_, kBytes);
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// The next `bytes` bytes, or null when there are not so many left.
  std::byte* take(std::size_t bytes, std::size_t colour, FirstWriter writer) {
    const std::size_t begin = (colour ? round_up(used_, kPage) : round_up(used_, kAlignment)) + colour;
    if (!memory_ || begin + bytes > kBytes) return nullptr;
    used_ = begin + bytes;
    // Who writes soon brings the pages: one thread more would only wait for the same ones.
    if (writer == FirstWriter::owner)
      touched_ = std::max(touched_, used_);
    else if (used_ > touched_)
      touch_ahead();
    return memory_ + begin;
  }

 private:
  /// A State grows block by block, and what is in them is often zeros at first, to be written by the first step: pages
  /// come ahead of that, and a few ahead of further blocks.
  void touch_ahead() {
    if (used_ <= 4 * kHugePage) return;  // a small State does without
    const std::size_t end = std::min(round_up(used_ + used_ / 4, kHugePage), kBytes);
    pages_->touch(memory_ + touched_, memory_ + end);
    touched_ = end;
  }

  std::byte* memory_;
  std::size_t used_ = 0, touched_ = 0;
  std::optional<PagesAhead> pages_{std::in_place};  ///< gone before the memory
};

}  // namespace

std::shared_ptr<std::byte> allocate_zeroed(std::size_t bytes) {
  constexpr std::size_t largest = std::numeric_limits<std::size_t>::max() / 2;
  if (bytes > largest) fail(bytes);
  const std::size_t colour = next_colour(bytes);
  if (bytes >= kLarge) {
    const std::size_t mapped = mapped_bytes(bytes + colour);
    std::byte* memory = map_zeros(mapped);
    if (!memory) fail(bytes);
    return {memory + colour, [memory, mapped](std::byte*) { ::munmap(memory, mapped); }};
  }
  // A colour is a place in a page where the memory begins at one.
  const std::align_val_t alignment{bytes >= kSmallestColoured ? kPage : kAlignment};
  const std::size_t rounded = round_up(colour + bytes + 1, kAlignment);
  auto* memory = static_cast<std::byte*>(::operator new(rounded, alignment, std::nothrow));
  if (!memory) fail(bytes);
  std::memset(memory + colour, 0, bytes);
  return {memory + colour, [memory, alignment](std::byte*) { ::operator delete(memory, alignment); }};
}

std::shared_ptr<std::byte> allocate_lasting(std::size_t bytes, FirstWriter writer) {
  // A network of a few numbers needs no huge page, and what fills many pages may have them for itself.
  // The address sanitizer sees no border between blocks of a slab.
  if (kIsSanitized || bytes < kPage || bytes > Slab::kBytes / 4) return allocate_zeroed(bytes);
  static std::mutex mutex;
  static auto& latest = *new std::weak_ptr<Slab>;  // a State may be made while static objects are destroyed
  const std::size_t colour = next_colour(bytes);
  const std::lock_guard lock(mutex);
  std::shared_ptr<Slab> slab = latest.lock();
  std::byte* block = slab ? slab->take(bytes, colour, writer) : nullptr;
  if (!block) {
    latest = slab = std::make_shared<Slab>();
    block = slab->take(bytes, colour, writer);
    if (!block) return allocate_zeroed(bytes);  // where address space is short
  }
  return {std::move(slab), block};
}

}  // namespace pullback::runtime
