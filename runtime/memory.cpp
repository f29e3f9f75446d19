#include "runtime/memory.h"

#include <cstring>
#include <limits>
#include <new>

#include <pullback/error.h>

namespace pullback::runtime {

std::shared_ptr<std::byte> allocate_zeroed(std::size_t bytes) {
  constexpr std::size_t largest = std::numeric_limits<std::size_t>::max() / 2;
  void* memory = nullptr;
  if (bytes <= largest) {
    const std::size_t rounded = (bytes / kAlignment + 1) * kAlignment;
    memory = ::operator new(rounded, std::align_val_t(kAlignment), std::nothrow);
    if (memory) std::memset(memory, 0, rounded);
  }
  if (!memory) throw Error("out of memory: cannot allocate " + std::to_string(bytes) + " bytes");
  return {static_cast<std::byte*>(memory), [](std::byte* p) { ::operator delete(p, std::align_val_t(kAlignment)); }};
}

}  // namespace pullback::runtime
