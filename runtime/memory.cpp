#include "runtime/memory.h"

#include <cstring>
#include <limits>
#include <new>

#include <sys/mman.h>

#include <pullback/error.h>

namespace pullback::runtime {

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t alignment_for(std::size_t bytes) {
  return bytes >= 2 * kHugePage ? kHugePage : kAlignment;
}

}  // namespace

std::shared_ptr<std::byte> allocate_zeroed(std::size_t bytes) {
  constexpr std::size_t largest = std::numeric_limits<std::size_t>::max() / 2;
  const std::size_t alignment = alignment_for(bytes);
  void* memory = nullptr;
  if (bytes <= largest) {
    const std::size_t rounded = (bytes / alignment + 1) * alignment;
    memory = ::operator new(rounded, std::align_val_t(alignment), std::nothrow);
    // Large matrices miss the TLB less on huge pages; where the system has none, nothing is lost.
    if (memory && alignment == kHugePage) ::madvise(memory, rounded, MADV_HUGEPAGE);
    if (memory) std::memset(memory, 0, bytes);
  }
  if (!memory) throw Error("out of memory: cannot allocate " + std::to_string(bytes) + " bytes");
  return {static_cast<std::byte*>(memory),
          [alignment](std::byte* p) { ::operator delete(p, std::align_val_t(alignment)); }};
}

}  // namespace pullback::runtime
